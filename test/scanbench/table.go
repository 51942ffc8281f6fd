package main

import (
	"fmt"
	"io"
)

// printCosts prints what each contestant cost, with its CPU to that of cat and of
// ripgrep.
func printCosts(out io.Writer, results []result) {
	var cat, rg float64
	for _, r := range results {
		switch r.name {
		case nameCat:
			cat = r.cpu.Seconds()
		case nameRipgrep:
			rg = r.cpu.Seconds()
		}
	}
	fmt.Fprintf(out, "%-32s%9s%9s%15s%8s%8s%10s%10s  %s\n", "", "wall s", "CPU s", "spread", "to cat", "to rg", "peak MiB", "read MB", "found")
	for _, r := range results {
		if r.rounds == 0 {
			continue
		}
		cpu := r.cpu.Seconds()
		between := fmt.Sprintf("%.2f-%.2f", r.cpuSpread[0].Seconds(), r.cpuSpread[1].Seconds())
		fmt.Fprintf(out, "%-32s%9.2f%9.2f%15s%8s%8s%10.0f%10.1f  %s\n",
			r.name, r.wall.Seconds(), cpu, between, times(cpu, cat), times(cpu, rg), mib(r.peak), float64(r.read)/1e6, r.found)
	}
}

func times(of, to float64) string {
	if to == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f", of/to)
}

func mib(bytes int64) float64 { return float64(bytes) / (1 << 20) }

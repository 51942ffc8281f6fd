package main

import (
	"fmt"
	"io"
)

// goal is a figure that must stay below a bound and should stay below another.
type goal struct {
	what          string
	figure        float64
	unit          string // behind the figures
	must, stretch float64
	hasStretch    bool
	missing       string // not empty: why there is no figure
}

// verdict says whether a bound is kept.
func verdict(figure, bound float64) string {
	if figure <= bound {
		return "met"
	}
	return "missed"
}

// goals compares the results with what is to be reached.
func goals(results []result) []goal {
	by := map[string]result{}
	for _, r := range results {
		if r.rounds > 0 {
			by[r.name] = r
		}
	}
	return []goal{
		ratio(by, "CPU, nothing inflated, to ripgrep's", nameRaw, nameRipgrep, 1.5, 0.8),
		ratio(by, "CPU, archives inflated, to ripgrep's", nameScan, nameRipgrep, 2.5, 1.5),
		ratio(by, "CPU, archives inflated, to gitleaks'", nameScan, nameSecrets, 1.0/50, 1.0/150),
		ratio(by, "CPU of two workers to one's", nameTwo, nameOne, 1.1, 0),
		peak(results),
		ratio(by, "CPU for seven copies to that for one", nameSeven, nameScan, 8, 0),
		again(by),
	}
}

// ratio is a goal of CPU to CPU; a stretch of 0 is none.
func ratio(by map[string]result, what, of, to string, must, stretch float64) goal {
	g := goal{what: what, unit: " x", must: must, stretch: stretch, hasStretch: stretch > 0}
	for _, name := range []string{of, to} {
		if by[name].cpu <= 0 {
			g.missing = name + ": not measured"
			return g
		}
	}
	g.figure = by[of].cpu.Seconds() / by[to].cpu.Seconds()
	return g
}

// peak is about every scan, whatever its tree.
func peak(results []result) goal {
	g := goal{what: "peak memory of any scan", unit: " MiB", must: 128, stretch: 64, hasStretch: true, missing: "not measured"}
	for _, r := range results {
		if isScan(r.name) && r.rounds > 0 {
			g.figure, g.missing = max(g.figure, mib(r.peak)), ""
		}
	}
	return g
}

func isScan(name string) bool {
	switch name {
	case nameScan, nameRaw, nameOne, nameTwo, nameOnce, nameTwice, nameSeven:
		return true
	}
	return false
}

// again is how much of a layer is read that is known already. The manifest and
// the config of the image that has it twice are some bytes longer.
func again(by map[string]result) goal {
	g := goal{what: "bytes read of a layer already known", unit: " % of it", must: 0.1}
	once, twice := by[nameOnce], by[nameTwice]
	if once.read == 0 || twice.read == 0 {
		g.missing = "not measured"
		return g
	}
	g.figure = max(0, 100*float64(twice.read-once.read)/layerSize)
	return g
}

func printGoals(out io.Writer, goals []goal) {
	fmt.Fprintf(out, "%-38s%14s%14s %-8s%14s\n", "goal", "figure", "must", "", "stretch")
	for _, g := range goals {
		if g.missing != "" {
			fmt.Fprintf(out, "%-38s%14s%14s %s\n", g.what, "-", number(g.must, g.unit), g.missing)
			continue
		}
		fmt.Fprintf(out, "%-38s%14s%14s %-8s", g.what, number(g.figure, g.unit), number(g.must, g.unit), verdict(g.figure, g.must))
		if g.hasStretch {
			fmt.Fprintf(out, "%14s %s", number(g.stretch, g.unit), verdict(g.figure, g.stretch))
		}
		fmt.Fprintln(out)
	}
}

// number has as many digits as matter; small ratios are told as 1/n.
func number(n float64, unit string) string {
	switch {
	case unit == " x" && n > 0 && n < 0.1:
		return fmt.Sprintf("1/%.0f", 1/n)
	case n >= 100 || n == 0:
		return fmt.Sprintf("%.0f%s", n, unit)
	}
	return fmt.Sprintf("%.2f%s", n, unit)
}

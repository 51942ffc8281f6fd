package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"

	"golang.org/x/sys/unix"
)

// benchmark measures all contestants on the tree and prints what it cost them.
func benchmark(ctx context.Context, out io.Writer, root, tree string, o options) (err error) {
	all, work, err := prepare(ctx, out, root, tree, o)
	if work != "" {
		defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	}
	if err != nil {
		return err
	}
	if err := facts(out, tree, o.rounds); err != nil {
		return err
	}
	m := &machine{dir: work}
	for _, c := range all {
		if err := m.warm(ctx, c); err != nil {
			return err
		}
	}
	for i := range o.rounds {
		if err := m.round(ctx, all, i); err != nil {
			return err
		}
	}
	results := resultsOf(all)
	printCosts(out, results)
	fmt.Fprintln(out)
	printGoals(out, goals(results))
	return printNotes(out)
}

// prepare installs what is missing and names the contestants. The folder work
// is for what they write; it is the caller's to remove, also after an error.
func prepare(ctx context.Context, out io.Writer, root, tree string, o options) (all []*contestant, work string, err error) {
	bin := o.bin
	if !filepath.IsAbs(bin) {
		bin = filepath.Join(root, bin)
	}
	phigate := filepath.Join(bin, "phigate")
	if _, err := os.Stat(phigate); err != nil {
		return nil, "", fmt.Errorf("looking for the program to measure: %w; run make build", err)
	}
	if err := install(ctx, needs("rg", "ripgrep")); err != nil {
		return nil, "", err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, "", fmt.Errorf("looking for this program: %w", err)
	}
	if work, err = os.MkdirTemp(cache(), ".scanbench-"); err != nil {
		return nil, "", fmt.Errorf("making a folder for what the contestants write: %w", err)
	}
	all = append(scans(phigate, tree), readers(self, tree)...)
	all = append(all, ripgrep(tree))
	if o.gitleaks != 0 {
		program, err := gitleaks(ctx)
		if err != nil {
			return nil, work, err
		}
		all = append(all, secrets(program, tree, o.gitleaks))
	}
	layers, err := known(phigate, work)
	if err != nil {
		return nil, work, err
	}
	all = append(all, layers...)
	if o.grows {
		more, err := growth(ctx, out, phigate, tree, work)
		if err != nil {
			return nil, work, err
		}
		all = append(all, more...)
	}
	return all, work, nil
}

// facts prints what the figures depend on.
func facts(out io.Writer, tree string, rounds int) error {
	files, size, err := census(tree)
	if err != nil {
		return err
	}
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return fmt.Errorf("asking for the kernel's version: %w", err)
	}
	load, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return fmt.Errorf("asking for the load: %w", err)
	}
	fmt.Fprintf(out, "%d cores, Linux %s, load %.4s at the start; %d regular files, %.1f MB; medians of %d rounds\n\n",
		runtime.NumCPU(), unix.ByteSliceToString(name.Release[:]), load, files, float64(size)/1e6, rounds)
	return nil
}

// printNotes says how the figures came about.
func printNotes(out io.Writer) error {
	var own unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &own); err != nil {
		return fmt.Errorf("asking for this program's memory: %w", err)
	}
	_, err := fmt.Fprintf(out, `
CPU is user and system time of all processes of a contestant; spread is that of the CPU, from the cheapest round to the dearest.
Peak is the largest process in any round, by its rusage; the kernel counts the %d MiB of this program, which starts them, in.
Read is what read() gave all processes (rchar of /proc/PID/io at their end), warm, from the disk or not; what is mapped is not in it.
A layer already known is told within one scan here, of an image that has a layer twice; the tests of plugin/prescan are about several images.
`, own.Maxrss>>10)
	return err
}

package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/phigate/phigate/plugin/cache"
	"github.com/phigate/phigate/plugin/rootfs"
	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/detect/catalogue"
)

// tally is how often a rule was violated.
type tally struct {
	info  policy.Info
	files map[string]bool
}

// benign scans trees and prints what was found in them, by rule: all of it is
// wrong or at least to be looked at.
func benign(ctx context.Context, out io.Writer, roots []string, list bool) error {
	roots, err := distinct(roots)
	if err != nil {
		return err
	}
	var trees []*cache.Facts
	var files, bytes int64
	for _, root := range roots {
		facts, err := scanTree(ctx, root, below{rootfs.Dir(root), root}, nil)
		if err != nil {
			return err
		}
		now := time.Now()
		facts.Findings = slices.DeleteFunc(facts.Findings, func(f policy.Finding) bool { return f.From.After(now) }) // not yet violations
		trees = append(trees, facts)
		files, bytes = files+facts.Coverage.Files, bytes+facts.Coverage.Bytes
	}
	fmt.Fprintf(out, "%d files, %.2f GB\n\n", files, float64(bytes)/1e9)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "rule\taction\tfiles\tper 100,000 files\t")
	for _, t := range tallies(trees) {
		fmt.Fprintf(w, "%s\t%s\t%d\t%.1f\t\n", t.info.ID, t.info.Default, len(t.files), 1e5*float64(len(t.files))/float64(max(files, 1)))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	printSkipped(out, trees)
	if list {
		printFindings(out, trees)
	}
	return nil
}

// distinct leaves out folders that lie within others: their files count once.
func distinct(roots []string) ([]string, error) {
	paths := make([]string, len(roots))
	for i, root := range roots {
		path, err := filepath.Abs(root)
		if err != nil {
			return nil, fmt.Errorf("looking for %s: %w", root, err)
		}
		paths[i] = path
	}
	slices.Sort(paths)
	var all []string
	for _, path := range paths {
		within := func(root string) bool {
			return path == root || strings.HasPrefix(path, strings.TrimSuffix(root, "/")+"/")
		}
		if !slices.ContainsFunc(all, within) {
			all = append(all, path)
		}
	}
	return all, nil
}

// below is a folder of this machine under its own path, as it would be found in
// an image: /usr/share/doc tells detectors something, /share/doc does not.
type below struct {
	rootfs.Tree
	root string
}

// Walk implements rootfs.Tree.
func (b below) Walk(ctx context.Context, visit func(rootfs.Entry) error, unreadable func(string, error)) error {
	return b.Tree.Walk(ctx, func(e rootfs.Entry) error {
		e.Path = b.path(e.Path)
		return visit(e)
	}, func(path string, err error) { unreadable(b.path(path), err) })
}

func (b below) path(within string) string { return strings.TrimSuffix(b.root, "/") + within }

func tallies(trees []*cache.Facts) []tally {
	infos := map[string]policy.Info{}
	for _, info := range catalogue.Infos() {
		infos[info.ID] = info
	}
	byRule := map[string]*tally{}
	for _, facts := range trees {
		for _, f := range facts.Findings {
			if byRule[f.Rule] == nil {
				byRule[f.Rule] = &tally{info: infos[f.Rule], files: map[string]bool{}}
			}
			byRule[f.Rule].files[f.Where.Full()] = true
		}
	}
	var all []tally
	for _, t := range byRule {
		all = append(all, *t)
	}
	slices.SortFunc(all, func(a, b tally) int {
		return cmp.Or(cmp.Compare(a.info.Default, b.info.Default), cmp.Compare(a.info.ID, b.info.ID))
	})
	return all
}

// printSkipped counts by reason what could not be looked at.
func printSkipped(out io.Writer, trees []*cache.Facts) {
	reasons := map[string]int{}
	for _, facts := range trees {
		for _, k := range facts.Skipped {
			reasons[k.Rule+": "+k.Reason]++
		}
	}
	var names []string
	for reason := range reasons {
		names = append(names, reason)
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(reasons[b]-reasons[a], cmp.Compare(a, b)) })
	fmt.Fprintf(out, "\nnot looked at:\n")
	for _, reason := range names {
		fmt.Fprintf(out, "%8d  %s\n", reasons[reason], reason)
	}
}

func printFindings(out io.Writer, trees []*cache.Facts) {
	fmt.Fprintf(out, "\nfindings:\n")
	for _, facts := range trees {
		for _, f := range facts.Findings {
			fmt.Fprintf(out, "%s\t%s\tat %d, %d times\n", f.Rule, policy.Printable(f.Where.Full()), f.Where.Offset, max(f.Count, 1))
		}
	}
}

// Quality measures how well the detectors tell PHI from what is none.
//
// Without arguments it judges the labelled files of a corpus and prints, by
// format, how many were found, which were wrong, and how far the estimate of
// people is off. With folders as arguments it takes all of them for benign and
// prints what was found there per 100,000 files. `make quality` and `make
// quality-benign` run it.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"text/tabwriter"
)

func main() {
	corpus := flag.String("corpus", defaultCorpus(), "folder with MANIFEST.tsv")
	list := flag.Bool("list", false, "list each finding in benign folders")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	var err error
	if flag.NArg() > 0 {
		err = benign(ctx, os.Stdout, flag.Args(), *list)
	} else {
		err = labelled(ctx, os.Stdout, *corpus)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "quality: %v\n", err)
		os.Exit(1)
	}
}

// defaultCorpus lies beside the repository.
func defaultCorpus() string {
	if dir := os.Getenv("PHIGATE_CORPUS"); dir != "" {
		return dir
	}
	return filepath.Join("..", "shared", "corpus")
}

// labelled judges the corpus; missed goals are an error.
func labelled(ctx context.Context, out io.Writer, corpus string) error {
	entries, err := manifest(corpus)
	if err != nil {
		return err
	}
	facts, err := scan(ctx, corpus, nil)
	if err != nil {
		return err
	}
	scores := judge(entries, byFile(facts))
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "format\twith PHI\tfound\trecall\tharmless\traised\tprecision\tde-identified\traised\tpeople known\testimate off\t")
	for _, s := range scores {
		fmt.Fprintf(w, "%s\t%d\t%d\t%.3f\t%d\t%d\t%.3f\t%d\t%d\t%d\t%d\t\n", s.name, s.phi, s.found, s.recall(),
			s.harmless, s.raised, s.precision(), s.deid, s.deidRaised, s.counted, s.offCount)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, s := range scores {
		printPaths(out, "missed", s.missed)
		printPaths(out, "wrong", s.wrong)
		printPaths(out, "estimate off", s.off)
	}
	if short := shortfalls(scores); len(short) > 0 {
		printPaths(out, "goal missed", short)
		return fmt.Errorf("%d goals are missed", len(short))
	}
	return nil
}

func printPaths(out io.Writer, what string, paths []string) {
	for _, path := range paths {
		fmt.Fprintf(out, "%s: %s\n", what, path)
	}
}

// Scanbench measures what a scan costs: CPU, time, memory and bytes read of
// `phigate scan` beside reading all bytes, ripgrep with expressions for PHI, and
// gitleaks, on a root filesystem of about 1 GB that it makes itself. All take
// turns round by round, so that they meet the same machine.
//
// `make bench-scan` runs it, as root, with the binary that `make build` made. It
// ends with 0 even where a goal is missed: it measures. With -check it measures
// nothing and compares the hits of the prefilter with those of a plain
// Aho-Corasick over the same bytes; a difference is an error.
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

	"github.com/phigate/phigate/test/node"
)

// options are what the flags say.
type options struct {
	rounds   int
	gitleaks int // rounds that it takes part in; negative: all
	tree     string
	bin      string
	corpus   string
	grows    bool
	checks   bool
	plain    bool // with checks: only in this process
}

func main() {
	var o options
	flag.IntVar(&o.rounds, "n", 5, "rounds; each measures everything once")
	flag.IntVar(&o.gitleaks, "gitleaks", -1, "rounds that gitleaks takes part in, which needs minutes for each; 0 leaves it out, -1 is all")
	flag.StringVar(&o.tree, "tree", "", "folder to scan instead of the root filesystem that the benchmark makes")
	flag.StringVar(&o.bin, "bin", "bin", "folder with the phigate to measure, as seen from the repository's")
	flag.BoolVar(&o.grows, "growth", false, "scan seven copies of the tree as well, where there is room for them")
	flag.BoolVar(&o.checks, "check", false, "compare the prefilter's hits with a plain Aho-Corasick's, and measure nothing")
	flag.StringVar(&o.corpus, "corpus", "", "with -check: a second folder to compare them on; by default the corpus of make quality, where it is there")
	flag.BoolVar(&o.plain, "plain", false, "with -check: not by the scalar path as well, for which the program is built anew")
	read := flag.String("read", "", "only read each regular file below this folder, and say how many there are; the benchmark calls itself with it")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	err := error(nil)
	if *read != "" {
		err = readAll(os.Stdout, *read)
	} else {
		err = run(ctx, os.Stdout, o)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "scanbench: %v\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer, o options) error {
	root, err := node.Root()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(cache(), 0o755); err != nil {
		return fmt.Errorf("making the cache folder: %w", err)
	}
	tree := o.tree
	if tree == "" {
		if tree, err = rootFS(ctx); err != nil {
			return err
		}
	}
	if tree, err = filepath.Abs(tree); err != nil {
		return fmt.Errorf("looking for the tree: %w", err)
	}
	if o.checks {
		return check(ctx, out, root, tree, o)
	}
	return benchmark(ctx, out, root, tree, o)
}

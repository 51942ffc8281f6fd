package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sys/cpu"

	"github.com/phigate/phigate/policy/detect/catalogue"
	"github.com/phigate/phigate/policy/detect/prefilter"
)

// chunk is how much of a file both look at together. It is odd, so that chunks
// begin at all alignments.
const chunk = 256<<10 - 1

// overlap is in two chunks, so that each match lies wholly in one: as much as the
// longest expression takes.
const overlap = 64

// check compares the hits of the prefilter and of a plain search on all files of
// the tree and of the corpus.
func check(ctx context.Context, out io.Writer, root, tree string, o options) error {
	exprs := anchors()
	set, err := prefilter.Compile(exprs)
	if err != nil {
		return fmt.Errorf("compiling the anchors: %w", err)
	}
	plain, err := newReference(exprs)
	if err != nil {
		return fmt.Errorf("compiling the anchors for the plain search: %w", err)
	}
	folders := []string{tree}
	if o.corpus == "" {
		o.corpus = corpus(root)
	}
	if o.corpus != "" {
		folders = append(folders, o.corpus)
	}
	differ := false
	for _, folder := range folders {
		c := comparison{set: set, plain: plain, room: make([]prefilter.Hit, 0, set.Patterns()+1024)}
		if err := c.folder(ctx, folder); err != nil {
			return err
		}
		fmt.Fprintf(out, "%s, %s: %s\n", path(), folder, &c)
		differ = differ || c.differing > 0
	}
	if differ {
		return errors.New("the prefilter's hits are not those of a plain Aho-Corasick")
	}
	if o.plain || runtime.GOARCH != "amd64" || !cpu.X86.HasAVX2 {
		return nil
	}
	return checkScalar(ctx, out, root, tree, o)
}

// corpus is where test/quality has its labelled files, if they are there.
func corpus(root string) string {
	dir := os.Getenv("PHIGATE_CORPUS")
	if dir == "" {
		dir = filepath.Join(root, "../shared/corpus")
	}
	if _, err := os.Stat(dir); err != nil {
		return ""
	}
	return dir
}

// path names the way in which the prefilter searches here.
func path() string {
	if cpu.X86.HasAVX2 && runtime.GOARCH == "amd64" {
		return "vector path"
	}
	return "scalar path"
}

// checkScalar runs this program as built for the 386, where the prefilter has
// nothing but its scalar path.
func checkScalar(ctx context.Context, out io.Writer, root, tree string, o options) error {
	dir, err := os.MkdirTemp("", "scanbench-")
	if err != nil {
		return fmt.Errorf("making a folder: %w", err)
	}
	defer os.RemoveAll(dir)
	program := filepath.Join(dir, "scanbench")
	build := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-o", program, "./test/scanbench")
	build.Dir, build.Env = root, append(os.Environ(), "GOARCH=386", "CGO_ENABLED=0")
	if err := quietly(build); err != nil {
		return fmt.Errorf("building for the 386: %w", err)
	}
	run := exec.CommandContext(ctx, program, "-check", "-plain", "-tree", tree, "-corpus", o.corpus)
	run.Dir, run.Stdout, run.Stderr = root, out, os.Stderr
	if err := run.Run(); err != nil {
		return fmt.Errorf("checking the scalar path: %w", err)
	}
	return nil
}

// anchors are those of all detectors.
func anchors() []string {
	var exprs []string
	for _, d := range catalogue.All() {
		exprs = append(exprs, d.Anchors...)
	}
	return exprs
}

// comparison is of the hits in many files.
type comparison struct {
	set   *prefilter.Set
	plain *reference
	room  []prefilter.Hit
	fast  []prefilter.Hit
	slow  []prefilter.Hit

	files, hits int
	bytes       int64
	differing   int // chunks whose hits are not the same
	first       string
}

func (c *comparison) String() string {
	s := fmt.Sprintf("%d files, %.1f MB, %d expressions, %d hits, ", c.files, float64(c.bytes)/1e6, c.set.Patterns(), c.hits)
	if c.differing == 0 {
		return s + "identical to a plain Aho-Corasick's"
	}
	return s + fmt.Sprintf("DIFFERENT in %d pieces, first in %s", c.differing, c.first)
}

func (c *comparison) folder(ctx context.Context, folder string) error {
	buf := make([]byte, chunk)
	err := eachFile(folder, func(path string) error {
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		c.files++
		if err := c.file(f, path, buf); err != nil {
			return err
		}
		return ctx.Err()
	})
	if err != nil {
		return fmt.Errorf("comparing hits: %w", err)
	}
	return nil
}

// file compares chunk by chunk. Hits in what two chunks share count once.
func (c *comparison) file(r io.Reader, path string, buf []byte) error {
	kept, off := 0, int64(0)
	for {
		n, err := io.ReadFull(r, buf[kept:])
		last := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
		if err != nil && !last {
			return err
		}
		data := buf[:kept+n]
		c.bytes += int64(n)
		ends := len(data)
		if !last {
			ends -= overlap
		}
		c.compare(data, ends, path, off)
		if last {
			return nil
		}
		off += int64(ends)
		kept = copy(buf, data[ends:])
	}
}

// compare counts the hits that begin before ends.
func (c *comparison) compare(data []byte, ends int, path string, off int64) {
	c.fast = c.fast[:0]
	for from := 0; from < len(data); {
		hits, next := c.set.Find(c.room, data, from)
		c.fast, from = append(c.fast, hits...), next
	}
	c.slow = c.plain.find(c.slow[:0], data)
	for _, h := range c.slow {
		if int(h.Off) < ends {
			c.hits++
		}
	}
	if slices.Equal(c.fast, c.slow) {
		return
	}
	if c.differing++; c.first == "" {
		c.first = fmt.Sprintf("%s from byte %d: %s", path, off, difference(c.fast, c.slow))
	}
}

// difference tells the first one, without content.
func difference(fast, slow []prefilter.Hit) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d hits, want %d", len(fast), len(slow))
	for i := range min(len(fast), len(slow)) {
		if fast[i] != slow[i] {
			fmt.Fprintf(&b, "; one is of expression %d at %d, want %d at %d", fast[i].Pattern, fast[i].Off, slow[i].Pattern, slow[i].Off)
			break
		}
	}
	return b.String()
}

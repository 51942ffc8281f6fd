// Bench measures what the gate costs. It runs two private containerds side by
// side, one with phigated in front and required, one without, and takes turns
// between them sample by sample, so that both meet the same machine.
//
// `make bench-create` runs it, as root, with the binaries that `make build`
// made. It ends with 0 even where a goal is missed: it measures.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/phigate/phigate/test/gate"
	"github.com/phigate/phigate/test/node"
)

func main() {
	n := flag.Int("n", 200, "samples of CreateContainer and StartContainer, each with and without phigate")
	ctr := flag.Int("ctr", 100, "samples of ctr run --rm, each with and without the wrapper; 0 leaves it out")
	pulls := flag.Int("pulls", 5, "samples of pull-to-Running, each with and without phigate; 0 leaves it out")
	size := flag.Int64("size", 200, "size of the image to pull, in MB")
	silent := flag.String("silent", "", "be the plugin that answers nil at once, at this NRI socket; the bench starts it by itself")
	bin := flag.String("bin", "bin", "folder with the phigate and phigated to measure, as seen from the repository's")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if *silent != "" {
		if err := answerNil(ctx, *silent); err != nil {
			fmt.Fprintf(os.Stderr, "bench: %v\n", err)
			os.Exit(1)
		}
		return
	}
	if err := run(ctx, *bin, *n, *ctr, *pulls, *size*1e6); err != nil {
		fmt.Fprintf(os.Stderr, "bench: %v\n", err)
		os.Exit(1)
	}
}

// bench is the nodes.
type bench struct {
	with, without *node.Node
	silent        *node.Node    // with a plugin that answers nil at once
	plugin        *node.Process // of silent
	gate          *gate.Gate    // of with
	bin           string        // folder of the programs
	config        string        // of phigate-runc on with
}

// turns runs a step on the nodes one after the other, another one first in each round.
func turns(round int, nodes []*node.Node, step func(n *node.Node) error) error {
	for i := range nodes {
		if err := step(nodes[(round+i)%len(nodes)]); err != nil {
			return err
		}
	}
	return nil
}

// both are the nodes with phigate and without.
func (b *bench) both() []*node.Node { return []*node.Node{b.with, b.without} }

func run(ctx context.Context, bin string, n, ctr, pulls int, size int64) (err error) {
	b := &bench{}
	defer func() { err = errors.Join(err, b.end()) }()
	if err := b.begin(ctx, bin); err != nil {
		return err
	}
	if err := b.facts(); err != nil {
		return err
	}
	if n > 0 {
		if err := b.creation(ctx, n); err != nil {
			return err
		}
	}
	if ctr > 0 {
		if err := b.wrapper(ctx, ctr); err != nil {
			return err
		}
	}
	if pulls > 0 {
		return b.pulling(ctx, pulls, size)
	}
	return nil
}

func (b *bench) begin(ctx context.Context, bin string) (err error) {
	root, err := node.Root()
	if err != nil {
		return err
	}
	rules, err := os.ReadFile(filepath.Join(root, "deploy/policies/example.yaml"))
	if err != nil {
		return fmt.Errorf("reading the example policy: %w", err)
	}
	if b.without, err = node.Start(ctx, node.Options{}); err != nil {
		return err
	}
	if !filepath.IsAbs(bin) {
		bin = filepath.Join(root, bin)
	}
	folder, err := os.MkdirTemp("", "phigate-bench-")
	if err != nil {
		return err
	}
	b.bin, b.config = bin, filepath.Join(folder, "runc.yaml")
	if b.with, err = node.Start(ctx, node.Options{Require: []string{"phigate"}, Env: []string{"PHIGATE_RUNC_CONFIG=" + b.config}}); err != nil {
		return err
	}
	b.gate, err = gate.New(b.with, bin, gate.Options{Policies: map[string]string{"example.yaml": string(rules)}})
	if err != nil {
		return err
	}
	if err := b.gate.Start(); err != nil {
		return err
	}
	if err := b.gate.Ready(ctx); err != nil {
		return err
	}
	return b.beginSilent(ctx)
}

func (b *bench) end() error {
	var errs []error
	if b.gate != nil {
		errs = append(errs, b.gate.Stop())
	}
	if b.plugin != nil {
		errs = append(errs, b.plugin.Stop(time.Second))
	}
	for _, n := range []*node.Node{b.with, b.without, b.silent} {
		if n != nil {
			errs = append(errs, n.Stop())
		}
	}
	if b.config != "" {
		errs = append(errs, os.RemoveAll(filepath.Dir(b.config)))
	}
	return errors.Join(errs...)
}

// facts prints what the figures depend on.
func (b *bench) facts() error {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return fmt.Errorf("asking for the kernel's version: %w", err)
	}
	var load, fs string
	if data, err := os.ReadFile("/proc/loadavg"); err == nil {
		load = string(data[:4])
	}
	var stat unix.Statfs_t
	if err := unix.Statfs(b.gate.StateDir, &stat); err != nil {
		return fmt.Errorf("asking for the file system of %s: %w", b.gate.StateDir, err)
	}
	fs, known := map[int64]string{unix.EXT4_SUPER_MAGIC: "ext4", unix.XFS_SUPER_MAGIC: "xfs", unix.BTRFS_SUPER_MAGIC: "btrfs",
		unix.OVERLAYFS_SUPER_MAGIC: "overlay", unix.TMPFS_MAGIC: "tmpfs (nothing is durable there)"}[stat.Type]
	if !known {
		fs = fmt.Sprintf("type %#x", stat.Type)
	}
	fmt.Printf("%d cores, Linux %s, load %s at the start, containerd 2.4.2, overlayfs, state on %s\n",
		runtime.NumCPU(), unix.ByteSliceToString(name.Release[:]), load, fs)
	return nil
}

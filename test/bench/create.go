package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/phigate/phigate/test/gate"
	"github.com/phigate/phigate/test/images"
	"github.com/phigate/phigate/test/node"
)

const (
	warmUp = 10 // samples that do not count
	image  = "cached"
	count  = 2000 // files in the image, beside busybox
	// pause lets containerd collect what the last sample left behind.
	pause = 50 * time.Millisecond
	// record is what a decision takes in the log, in bytes, about.
	record = 2048
)

// creation measures CreateContainer and StartContainer with an image that all
// nodes have had for long.
func (b *bench) creation(ctx context.Context, n int) error {
	pods, err := b.prepare(ctx)
	if err != nil {
		return err
	}
	log, err := os.Create(filepath.Join(b.gate.StateDir, "bench.log"))
	if err != nil {
		return fmt.Errorf("creating a file beside the decision log: %w", err)
	}
	defer log.Close()
	creates, starts := map[*node.Node]times{}, map[*node.Node]times{}
	var syncs times
	for i := range warmUp + n {
		err := turns(i, b.all(), func(at *node.Node) error {
			create, start, err := once(ctx, at, pods[at], fmt.Sprintf("app-%d", i))
			if i >= warmUp && err == nil {
				creates[at], starts[at] = append(creates[at], create), append(starts[at], start)
			}
			return err
		})
		if err != nil {
			return err
		}
		took, err := fdatasync(log)
		if err != nil {
			return err
		}
		if i >= warmUp {
			syncs = append(syncs, took)
		}
	}
	fmt.Printf("\nCreation of a container from a cached image of %d files, %d samples each; a difference is to \"no plugin\"\n\n", count, n)
	fmt.Printf("%-17s%13s%13s\n%-17s%13s%13s\n\n", "", "p50", "p99", "fdatasync", ms(syncs.at(50)), ms(syncs.at(99)))
	fmt.Printf("%-17s%26s%26s%26s%26s%26s\n%-17s", "", "no plugin", "a plugin answering nil", "difference", "phigate", "difference", "")
	fmt.Println(strings.Repeat(fmt.Sprintf("%13s%13s", "p50", "p99"), 5))
	calls := []struct {
		name  string
		times map[*node.Node]times
	}{{"CreateContainer", creates}, {"StartContainer", starts}}
	for _, c := range calls {
		row(c.name, c.times[b.without], c.times[b.silent], c.times[b.with])
	}
	fmt.Println()
	for _, c := range calls {
		goals(c.name, c.times[b.without], c.times[b.silent], c.times[b.with], syncs)
	}
	return nil
}

// prepare imports the image and runs a pod on all nodes.
func (b *bench) prepare(ctx context.Context) (pods map[*node.Node]string, err error) {
	many, err := images.Many("/usr/share/app", count, []byte("one of many files\n"))
	if err != nil {
		return nil, err
	}
	img, err := gate.Make(many)
	if err != nil {
		return nil, err
	}
	pods = map[*node.Node]string{}
	err = turns(0, b.all(), func(at *node.Node) error {
		if err := at.Import(ctx, gate.Image(image), img); err != nil {
			return err
		}
		pods[at], err = at.RunPod(ctx, node.PodOptions{Namespace: "clinic-a"})
		return err
	})
	if err != nil {
		return nil, err
	}
	return pods, b.gate.Ready(ctx)
}

// once creates, starts and removes one container.
func once(ctx context.Context, at *node.Node, pod, name string) (create, start time.Duration, err error) {
	began := time.Now()
	id, err := at.Create(ctx, pod, sleeps(name, gate.Image(image)))
	create = time.Since(began)
	if err != nil {
		return 0, 0, fmt.Errorf("creating a container: %w", err)
	}
	began = time.Now()
	err = at.StartContainer(ctx, id)
	start = time.Since(began)
	if err != nil {
		return 0, 0, fmt.Errorf("starting a container: %w", err)
	}
	defer time.Sleep(pause)
	return create, start, at.Remove(ctx, id)
}

// sleeps is a container that stays and that no rule refuses.
func sleeps(name, image string) node.ContainerOptions {
	return node.ContainerOptions{
		Name: name, Image: image, Command: []string{"/bin/sleep", "1000"},
		User: 1000, ReadonlyRoot: true, NoNewPrivs: true,
	}
}

// fdatasync appends to the file what a decision takes, and measures only how
// long it takes to make that durable.
func fdatasync(f *os.File) (time.Duration, error) {
	if _, err := f.Write(make([]byte, record)); err != nil {
		return 0, fmt.Errorf("writing beside the decision log: %w", err)
	}
	began := time.Now()
	if err := unix.Fdatasync(int(f.Fd())); err != nil {
		return 0, fmt.Errorf("syncing beside the decision log: %w", err)
	}
	return time.Since(began), nil
}

// row prints the first one's p50 and p99, and those of the others with their difference to it.
func row(call string, first times, others ...times) {
	fmt.Printf("%-17s%13s%13s", call, ms(first.at(50)), ms(first.at(99)))
	for _, o := range others {
		fmt.Printf("%13s%13s%13s%13s", ms(o.at(50)), ms(o.at(99)), ms(o.at(50)-first.at(50)), ms(o.at(99)-first.at(99)))
	}
	fmt.Println()
}

// goals of a cached image: p50 costs at most one fdatasync and 1 ms more, p99 at
// most 5 ms. What NRI itself costs is said beside it: no plugin can cost less.
func goals(call string, without, silent, with, syncs times) {
	p50, limit := with.at(50)-without.at(50), syncs.at(50)+time.Millisecond
	goal(call+" p50", p50 <= limit, "%s more, of which NRI with any plugin %s; at most one fdatasync + 1 ms = %s", ms(p50), ms(silent.at(50)-without.at(50)), ms(limit))
	p99 := with.at(99) - without.at(99)
	goal(call+" p99", p99 <= 5*time.Millisecond, "%s more; at most 5 ms", ms(p99))
}

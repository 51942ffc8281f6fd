package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/phigate/phigate/test/gate"
	"github.com/phigate/phigate/test/images"
	"github.com/phigate/phigate/test/node"
)

// wrapperGoal is what the wrapper may add to `ctr run --rm` of a cached image,
// p50: each create, and the start of four passed-through commands of the runtime.
const wrapperGoal = 15 * time.Millisecond

// wrapper measures `ctr run --rm` on the node that has phigate, by turns through the
// wrapper and by the real runc alone.
func (b *bench) wrapper(ctx context.Context, n int) error {
	if err := b.wrapperConfig(); err != nil {
		return err
	}
	many, err := images.Many("/usr/share/app", count, []byte("one of many files\n"))
	if err != nil {
		return err
	}
	img, err := gate.Make(many)
	if err != nil {
		return err
	}
	if err := b.with.ImportIn(ctx, "default", gate.Image(image), img); err != nil {
		return err
	}
	binaries := [2]string{"", filepath.Join(b.bin, "phigate-runc")}
	var took [2]times
	for i := range warmUp + n {
		for k := range binaries {
			which := (i + k) % 2 // each first in every other round
			began := time.Now()
			_, err := b.with.Run(ctx, node.RunOptions{ID: fmt.Sprintf("ctr-%d-%d", i, which), Image: gate.Image(image), Binary: binaries[which], Command: []string{"/bin/true"}})
			if err != nil {
				return err
			}
			if i >= warmUp {
				took[which] = append(took[which], time.Since(began))
			}
			time.Sleep(pause)
		}
	}
	fmt.Printf("\n`ctr run --rm` of a cached image of %d files, %d samples each, by turns\n\n", count, n)
	fmt.Printf("%-17s%26s%26s%26s\n%-17s%13s%13s%13s%13s%13s%13s\n", "", "runc", "phigate-runc", "difference",
		"", "p50", "p99", "p50", "p99", "p50", "p99")
	row("ctr run --rm", took[0], took[1])
	fmt.Println()
	more := took[1].at(50) - took[0].at(50)
	goal("ctr run --rm p50", more <= wrapperGoal, "%s more; at most %s", ms(more), ms(wrapperGoal))
	return nil
}

// wrapperConfig writes what phigate-runc is told.
func (b *bench) wrapperConfig() error {
	for _, path := range []string{"/usr/sbin/runc", "/usr/bin/runc"} {
		if _, err := os.Stat(path); err == nil {
			text := fmt.Sprintf("runc: %s\nsocket: %s\n", path, b.gate.GateSocket())
			return os.WriteFile(b.config, []byte(text), 0o600)
		}
	}
	return fmt.Errorf("runc is not installed; run test/setup")
}

package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/phigate/phigate/test/gate"
	"github.com/phigate/phigate/test/node"
)

// At boot a container with restart=always is there before phigated. systemd listens for
// that, and who asks waits: here systemd-socket-activate does, which starts phigated when the first has asked.
func TestContainerBeforePhigated(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	dir := t.TempDir()
	wrapper, err := gate.NewWrapper(dir, bin)
	if err != nil {
		t.Fatal(err)
	}
	w := &wrapped{Wrapper: wrapper}
	n, err := node.Start(ctx, node.Options{Before: dir, Env: wrapper.Env()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Stop(); err != nil {
			t.Errorf("ending the node: %v", err)
		}
	})
	w.rig = &rig{T: t, ctx: ctx, node: n}
	g, err := gate.New(n, dir, gate.Options{})
	w.must(err)
	w.gate = g
	script := fmt.Sprintf("#!/bin/sh\numask 077\nexec systemd-socket-activate --listen=%s %s \"$@\"\n", g.GateSocket(), filepath.Join(bin, "phigated"))
	w.must(os.WriteFile(filepath.Join(dir, "phigated"), []byte(script), 0o700))
	w.configure("")
	plain := w.ctrImage("plain")
	w.must(g.Start())
	t.Cleanup(func() { _ = g.Stop() }) // once more, where the test has failed
	w.eventually("systemd listens", 20*time.Second, func() bool { _, err := os.Stat(g.GateSocket()); return err == nil })
	if _, err := g.Status(ctx); err == nil {
		t.Fatal("phigated runs before anybody has asked")
	}
	w.runs(says("early", plain))
	if ds := w.verdicts("early"); len(ds) != 1 {
		t.Errorf("%d decisions, want one", len(ds))
	}
	w.must(g.Stop())
}

package faults

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/phigate/phigate/plugin/ask"
	"github.com/phigate/phigate/test/gate"
)

// all are the faults, those last that leave something behind in the log.
func all() []fault {
	faults := silent()
	for i := range faults {
		faults[i].silent = true
	}
	return append(append(faults, disk()...), append(state(), clock("the clock jumps 2 hours back", -2*time.Hour, -time.Hour), clock("the clock jumps 12 hours ahead", 12*time.Hour, 6*time.Hour))...)
}

// slug is the name of the fault's test.
func (f fault) slug() string {
	return strings.Join(strings.FieldsFunc(strings.ToLower(f.name), func(r rune) bool { return r < '0' || r > '9' && r < 'a' || r > 'z' }), "_")
}

// disk are the faults of the disk that the log is on.
func disk() []fault {
	return []fault{
		{name: "answers late: its disk hangs", fresh: true,
			set:   func(b *bench) { b.configure("deadline: 2s") },
			begin: func(b *bench) { b.must(b.disk.Hang()) },
			end:   func(b *bench) { b.must(b.disk.Resume()); b.works() },
			mend:  func(b *bench) { b.configure("") }},
		{name: "the log cannot be written (I/O error)",
			begin: func(b *bench) { b.must(b.disk.Break()) },
			end: func(b *bench) {
				b.stop()
				b.must(b.disk.Unmount())
				b.must(b.disk.Mount())
				b.begin()
			}},
		{name: "the disk is full",
			begin: func(b *bench) {
				for range 2 { // the log lets go of its reserve the first time
					b.must(b.disk.Fill())
					b.must(soon(time.Minute, func() error { // the log's last block has room for some more
						id, err := b.node.Create(b.ctx, b.plain, gate.Sleeps(b.clean))
						if err != nil && strings.Contains(err.Error(), "no space left on device") {
							return nil
						}
						return errors.Join(errors.New("the log still has room"), err, b.node.Remove(b.ctx, id))
					}))
				}
			},
			end: func(b *bench) { b.must(b.disk.Free()) }},
	}
}

// state are the faults of what phigated keeps or is told.
func state() []fault {
	const broken = "broken.yaml"
	mended := func(b *bench) {
		b.must(os.Remove(filepath.Join(b.gate.Policies, broken)))
		b.policy(func(p ask.PolicyStatus) bool { return p.Error == "" && p.Digest != "" })
	}
	return []fault{
		{name: "the facts cache is corrupt", fresh: true, settles: 20 * time.Second,
			begin: func(b *bench) { b.must(overwrite(filepath.Join(b.gate.StateDir, "facts.db"))) },
			end:   func(b *bench) { b.must(b.gate.Ready(b.ctx)); b.works() }},
		{name: "the policy is broken, and was good before",
			begin: func(b *bench) {
				b.must(b.gate.WritePolicy(broken, "kind: [\n"))
				b.policy(func(p ask.PolicyStatus) bool { return p.Error != "" })
			},
			end: mended},
		{name: "the policy is broken, and none was ever good",
			begin: func(b *bench) {
				b.stop()
				if err := os.Remove(filepath.Join(b.gate.StateDir, "policy.last-good.json")); !errors.Is(err, fs.ErrNotExist) {
					b.must(err)
				}
				b.must(b.gate.WritePolicy(broken, "kind: [\n"))
				b.must(b.gate.Start())
				b.must(b.gate.Connected(b.ctx))
				b.policy(func(p ask.PolicyStatus) bool { return p.Error != "" && p.Digest == "" })
			},
			end: mended},
	}
}

// policy has phigated read its policy again and waits for that state of it.
func (b *bench) policy(ok func(ask.PolicyStatus) bool) {
	b.Helper()
	b.must(b.gate.Process().Signal(syscall.SIGHUP))
	b.must(soon(10*time.Second, func() error {
		s, err := b.gate.Status(b.ctx)
		if err == nil && !ok(s.Policy) {
			err = fmt.Errorf("the policy's state is %+v", s.Policy)
		}
		return err
	}))
}

// overwrite puts random bytes where the file's are.
func overwrite(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		return err
	}
	junk := make([]byte, info.Size())
	_, _ = rand.Read(junk)
	_, err = f.WriteAt(junk, 0)
	return errors.Join(err, f.Close())
}

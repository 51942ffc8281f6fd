// Command auditbench measures the decision log against the disk that it is on: in
// one run, fdatasync alone and appends in turns, a journald that works and one that
// hangs in turns, then many callers, a full verification and a proof.
package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/phigate/phigate/plugin/audit"
	"github.com/phigate/phigate/policy"
)

func main() {
	dir := flag.String("dir", "", "a folder on the disk to measure (default: a temporary one)")
	n := flag.Int("n", 400, "appends of one caller")
	many := flag.Int("many", 100_000, "appends of all callers together")
	callers := flag.Int("callers", 64, "callers at once")
	flag.Parse()
	if err := run(*dir, *n, *many, *callers); err != nil {
		fmt.Fprintln(os.Stderr, "auditbench:", err)
		os.Exit(1)
	}
}

func run(dir string, n, many, callers int) error {
	top, err := os.MkdirTemp(dir, "auditbench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(top) //nolint:errcheck // a temporary folder
	log, err := audit.Open(filepath.Join(top, "log"), audit.Options{Checkpoint: time.Second})
	if err != nil {
		return err
	}
	if err := one(log, top, n); err != nil {
		return err
	}
	if err := hung(top, 5*n); err != nil {
		return err
	}
	if err := all(log, many, callers); err != nil {
		return err
	}
	if err := log.Close(); err != nil {
		return err
	}
	return read(filepath.Join(top, "log"))
}

// decision is one as containers of a clinic give.
func decision() *policy.Decision {
	return &policy.Decision{
		Kind: "verdict", Gate: policy.GateValidate, Target: "clinic-a/portal", Container: "4f1c0b7f0c8e4a0d9a2f", Namespace: "clinic-a", Pod: "portal-5d4f7c9b8-x2x7k",
		PodUID: "0e3c7c9e-2f7e-4c53-8f0e-0c9b7f5f8a11", Image: "registry.example/clinic/portal:1.4.2", Verdict: policy.Allow, Policy: "sha256:9f86d081884c7d659a2feaa0c55ad015",
		Findings: []policy.Record{}, Skipped: []policy.SkipEntry{}, DurationUs: 412,
	}
}

// one appends with a single caller, and syncs a file of its own in turns.
func one(log *audit.Log, top string, n int) error {
	f, err := os.Create(filepath.Join(top, "alone"))
	if err != nil {
		return err
	}
	defer f.Close()
	block := make([]byte, 600)
	var alone, append_ []time.Duration
	for range n {
		began := time.Now()
		if _, err := f.Write(block); err != nil {
			return err
		}
		if err := unix.Fdatasync(int(f.Fd())); err != nil {
			return err
		}
		alone = append(alone, time.Since(began))
		began = time.Now()
		if _, err := log.Record(context.Background(), decision()); err != nil {
			return err
		}
		append_ = append(append_, time.Since(began))
	}
	a50, a99 := percentiles(alone)
	p50, p99 := percentiles(append_)
	fmt.Printf("write and fdatasync alone    p50 %8v   p99 %8v\n", a50, a99)
	fmt.Printf("durable append, one caller   p50 %8v   p99 %8v   %.2f x the disk (goal 3)   %.0f records/s\n", p50, p99, float64(p50)/float64(a50), float64(time.Second)/float64(p50))
	return nil
}

func percentiles(d []time.Duration) (p50, p99 time.Duration) {
	slices.Sort(d)
	return d[len(d)/2].Round(time.Microsecond), d[len(d)*99/100].Round(time.Microsecond)
}

// all appends with many callers at once.
func all(log *audit.Log, many, callers int) error {
	var wg sync.WaitGroup
	errs := make(chan error, callers)
	began := time.Now()
	for range callers {
		wg.Go(func() {
			for range many / callers {
				if _, err := log.Record(context.Background(), decision()); err != nil {
					errs <- err
					return
				}
			}
		})
	}
	wg.Wait()
	took := time.Since(began)
	select {
	case err := <-errs:
		return err
	default:
	}
	fmt.Printf("durable append, %d callers   %.0f records/s (goal 10000)\n", callers, float64(many)/took.Seconds())
	return nil
}

// read verifies the log with its own keys, and proves a record.
func read(dir string) error {
	text, err := os.ReadFile(filepath.Join(dir, "k0.key"))
	if err != nil {
		return err
	}
	keys, err := audit.ParseFirstKeys(text)
	if err != nil {
		return err
	}
	for _, with := range []struct {
		name string
		keys []audit.FirstKey
	}{{"structure and tree", nil}, {"and each mac", keys}} {
		best, busy, cpu := 0.0, 0.0, time.Duration(0)
		for range 3 {
			began, used := time.Now(), cpuTime()
			v, err := audit.Verify(context.Background(), dir, audit.VerifyOptions{Keys: with.keys, Workers: runtime.NumCPU()})
			if err != nil || !v.OK() {
				return fmt.Errorf("verifying: %+v, %w", v, err)
			}
			took, worked := time.Since(began), cpuTime()-used
			if speed := float64(v.Records) / took.Seconds(); speed > best {
				best, busy, cpu = speed, float64(worked)/float64(took), worked/time.Duration(v.Records)
			}
		}
		fmt.Printf("verify, %-20s %.0f records/s, best of 3 (goal 500000), %v of CPU a record, on %.1f of %d cores\n", with.name, best, cpu, busy, runtime.NumCPU())
	}
	return prove(dir)
}

// cpuTime is what this process has used.
func cpuTime() time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func prove(dir string) error {
	proof, err := audit.Prove(context.Background(), dir, 1, nil, "")
	if err != nil {
		return err
	}
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	if _, err := w.Write(proof); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	fmt.Printf("proof of one record          %d bytes, %d with gzip (goal 1024), 45 more for each doubling of the log\n", len(proof), packed.Len())
	return nil
}

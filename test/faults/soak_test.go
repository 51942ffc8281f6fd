package faults

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/phigate/phigate/test/node"
)

var (
	soakFaults   = flag.Int("faults", 20, "how many random faults TestSoak makes")
	soakSeed     = flag.Uint64("seed", 0, "what they are chosen by; 0: by the time")
	soakRecovery = flag.Duration("recovery", 10*time.Second, "for how long a compliant container may be refused when a fault is over and the calls in flight have ended")
	soakTally    = flag.String("tally", "", "file to add a line to that says what was done")
)

// soak makes random faults while clients create containers without end.
type soak struct {
	*bench
	rand    *rand.Rand
	marks   string // a folder in which each container that runs makes a file of its name
	clients []*client

	mu       sync.Mutex
	attempts []*attempt
	windows  []window
}

// window is the time of a fault.
type window struct {
	kind        string
	began, over time.Time // over: the runtime is ready, and the calls that were in flight have ended
}

// TestSoak kills, restarts and reloads at random. No container may run that violates the
// policy, whatever its client heard; none may run that no gate has admitted; and no
// compliant one may be refused for longer than the recovery takes.
func TestSoak(t *testing.T) {
	count, seed := *soakFaults, *soakSeed
	if testing.Short() {
		count = min(count, 5)
	}
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	s := newSoak(t, seed, count)
	ctx, stop := context.WithCancel(s.ctx)
	var clients sync.WaitGroup
	for _, c := range s.clients {
		clients.Go(func() { c.run(ctx) })
	}
	defer clients.Wait()
	defer stop()
	s.settle(window{kind: "the beginning", began: time.Now()})
	for i := 0; i < count && s.ctx.Err() == nil; i++ {
		s.fault(i)
		if done := i + 1; done%100 == 0 {
			s.Logf("%d faults of %d", done, count)
		}
	}
	stop()
	clients.Wait()
	s.verdict(seed)
}

// newSoak has time and disk for so many faults; the records around one take 150 KB or so.
func newSoak(t *testing.T, seed uint64, count int) *soak {
	within, disk := 5*time.Minute+time.Duration(count)*time.Minute, smallDisk+int64(count)<<20
	s := &soak{bench: newBench(t, within, disk), rand: rand.New(rand.NewPCG(seed, 0))}
	s.marks = filepath.Join(s.node.Dir, "marks")
	s.must(os.Mkdir(s.marks, 0o700))
	s.must(os.Chmod(s.marks, 0o777)) // the containers' user makes files there
	if node.AtLeast(2, 2) {          // below, NRI alone lets pass what comes while phigated is away
		s.clients = append(s.clients, &client{soak: s, name: "cri", podded: true, one: (*client).pod})
	}
	s.clients = append(s.clients,
		&client{soak: s, name: "wrapped", podded: true, handler: node.SecondHandler, one: (*client).pod},
		&client{soak: s, name: "ctr", one: (*client).ctr})
	return s
}

// fault makes one, and waits until every client gets compliant containers again.
func (s *soak) fault(i int) {
	kinds := []struct {
		name string
		do   func()
	}{
		{"kill -9 of phigated", func() { s.must(s.gate.Process().Kill()); s.pause(2000); s.must(s.gate.Start()) }},
		{"kill -9 of containerd", func() { s.must(s.node.Kill()); s.pause(400); s.must(s.node.Resume(s.ctx)) }},
		{"kill -9 of both", func() {
			s.must(s.gate.Process().Kill())
			s.must(s.node.Kill())
			s.must(s.gate.Start())
			s.must(s.node.Resume(s.ctx))
		}},
		{"kill -9 of a shim", s.killShim},
		{"restart of phigated", func() { s.stop(); s.must(s.gate.Start()) }},
		{"restart of containerd", func() { s.must(s.node.Restart(s.ctx)) }},
		{"reload", func() { s.reload(i) }},
		{"SIGSTOP of phigated", func() { s.must(s.gate.Process().Freeze()); s.pause(400); s.must(s.gate.Process().Thaw()) }},
	}
	kind := kinds[s.rand.IntN(len(kinds))]
	s.pause(400) // not always at the same moment of what the clients do
	w := window{kind: kind.name, began: time.Now()}
	kind.do()
	s.settle(w)
}

// pause waits for up to so many milliseconds.
func (s *soak) pause(most int) { time.Sleep(time.Duration(s.rand.IntN(most)) * time.Millisecond) }

func (s *soak) reload(i int) {
	s.must(s.gate.WritePolicy("soak.yaml", fmt.Sprintf("apiVersion: phigate.dev/v1alpha1\nkind: Policy\nmetadata: {name: soak-%d}\nspec: {mode: enforce}\n", i)))
	s.must(s.gate.Process().Signal(syscall.SIGHUP))
}

// killShim kills one, and what it keeps with it: at times a whole pod.
func (s *soak) killShim() {
	pids, err := s.node.Shims()
	s.must(err)
	if len(pids) == 0 {
		return
	}
	if err := syscall.Kill(pids[s.rand.IntN(len(pids))], syscall.SIGKILL); err != nil && err != syscall.ESRCH {
		s.Fatal(err)
	}
}

// settle waits until the calls in flight have ended, which begins the recovery, and then
// until each client has got a compliant container that it asked for since.
func (s *soak) settle(w window) {
	ready := time.Now()
	s.until("the calls in flight have ended", func(a []*attempt) bool {
		for i := len(a) - 1; i >= 0; i-- {
			if a[i].began.Before(ready) && a[i].done.IsZero() {
				return false
			}
		}
		return true
	})
	w.over = time.Now()
	s.mu.Lock()
	s.windows = append(s.windows, w)
	s.mu.Unlock()
	s.until("each client gets compliant containers again", func(a []*attempt) bool {
		got := map[*client]bool{}
		for i := len(a) - 1; i >= 0 && !a[i].began.Before(w.began); i-- {
			if !a[i].violating && a[i].began.After(w.over) && !a[i].done.IsZero() && a[i].err == nil {
				got[a[i].by] = true
			}
		}
		return len(got) == len(s.clients)
	})
}

// until waits for a state of the attempts, which stand in the order of their beginning.
func (s *soak) until(what string, ok func([]*attempt) bool) {
	s.Helper()
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		s.mu.Lock()
		done := ok(s.attempts)
		s.mu.Unlock()
		if done {
			return
		}
	}
	for _, line := range s.last(12) {
		s.Log(line)
	}
	s.Fatalf("not within 2 minutes: %s; last fault: %+v", what, s.windows[max(0, len(s.windows)-1):])
}

func (s *soak) last(n int) (lines []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.attempts[max(0, len(s.attempts)-n):] {
		lines = append(lines, a.String())
	}
	return lines
}

package bypass

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/phigate/phigate/plugin/containerd"
	"github.com/phigate/phigate/policy"
)

var nginx = containerd.Origin{Image: "nginx:1", Snapshot: true}

// Each case is one container; which of them are bypasses is the question.
func TestWhatIsABypass(t *testing.T) {
	tests := map[string]struct {
		do   func(w *world)
		want []string
	}{
		"docker": {func(w *world) { w.make("moby", "c1", nginx); w.start("moby", "c1", 7) }, []string{"moby/c1 docker audit"}},
		"nerdctl": {func(w *world) {
			w.make("default", "c1", containerd.Origin{Labels: map[string]string{"nerdctl/name": "x"}, Snapshot: true})
			w.start("default", "c1", 7)
		}, []string{"default/c1 nerdctl audit"}},
		"not_started": {func(w *world) { w.make("default", "c1", nginx) }, nil},
		"ended_at_once": {func(w *world) {
			w.make("default", "c1", nginx)
			w.end("default", "c1")
			w.start("default", "c1", 7)
		}, []string{"default/c1 ctr audit"}},
		"no_record_at_all":   {func(w *world) { w.start("default", "c1", 7) }, []string{"default/c1 ctr audit"}},
		"in_cri's_namespace": {func(w *world) { w.make("k8s.io", "c1", nginx); w.start("k8s.io", "c1", 7) }, []string{"k8s.io/c1 ctr audit"}},
		"judged_by_nri": {func(w *world) {
			w.decide("k8s.io", "c1", policy.GateValidate, policy.Allow)
			w.make("k8s.io", "c1", containerd.Origin{InPod: true})
			w.decide("k8s.io", "c1", policy.GateStart, policy.Allow)
			w.start("k8s.io", "c1", 7)
		}, nil},
		"judged_by_the_wrapper": {func(w *world) {
			w.make("default", "c1", nginx)
			w.decide("", "c1", "wrapper", policy.Allow)
			w.start("default", "c1", 7)
		}, nil},
		"judged_by_the_wrapper_for_docker": {func(w *world) {
			w.make("moby", "c1", nginx)
			_, _ = w.Record(context.Background(), &policy.Decision{Kind: "verdict", Container: "c1", Runtime: "docker", Gate: "wrapper", Verdict: policy.Allow})
			w.start("moby", "c1", 7)
		}, nil},
		"another_of_that_ID_was_judged": {func(w *world) {
			w.make("default", "c1", nginx)
			w.decide("k8s.io", "c1", policy.GateStart, policy.Allow)
			w.start("default", "c1", 7)
		}, []string{"default/c1 ctr audit"}},
		"an_earlier_one_was_judged": {func(w *world) {
			w.decide("default", "c1", "wrapper", policy.Allow)
			time.Sleep(time.Second)
			w.make("default", "c1", nginx)
			w.start("default", "c1", 7)
		}, []string{"default/c1 ctr audit"}},
		"refused_and_runs": {func(w *world) {
			w.make("default", "c1", nginx)
			w.decide("default", "c1", "hook", policy.Allow)
			w.decide("default", "c1", "wrapper", policy.Block)
			w.start("default", "c1", 7)
		}, []string{"default/c1 ctr audit"}},
		"withdrawn_and_runs": {func(w *world) {
			w.make("default", "c1", nginx)
			w.decide("default", "c1", "wrapper", policy.Allow)
			_, _ = w.Record(context.Background(), &policy.Decision{Kind: "withdrawn", Container: "c1", RuntimeNamespace: "default", Withdraws: w.Seq()})
			w.start("default", "c1", 7)
		}, []string{"default/c1 ctr audit"}},
		"break_glass": {func(w *world) {
			w.make("default", "c1", nginx)
			w.decide("default", "c1", "wrapper", policy.Block)
			_, _ = w.Record(context.Background(), &policy.Decision{Kind: "override", Container: "c1", RuntimeNamespace: "default"})
			w.start("default", "c1", 7)
		}, nil},
		"admitted_and_not_judged_at_its_start": {func(w *world) { // CRI has it, and NRI's catch-up judges it
			w.decide("k8s.io", "c1", policy.GateValidate, policy.Allow)
			w.cri["c1"] = true
			w.make("k8s.io", "c1", containerd.Origin{InPod: true})
			w.start("k8s.io", "c1", 7)
		}, nil},
		"second_start": {func(w *world) {
			w.make("default", "c1", nginx)
			w.decide("default", "c1", "wrapper", policy.Allow)
			w.start("default", "c1", 7)
			time.Sleep(time.Second)
			w.start("default", "c1", 8)
		}, []string{"default/c1 ctr audit"}},
		"second_start_judged": {func(w *world) {
			w.make("default", "c1", nginx)
			for pid := range uint32(2) {
				w.decide("default", "c1", "wrapper", policy.Allow)
				w.start("default", "c1", 7+pid)
				time.Sleep(time.Second)
			}
		}, nil},
		"sandbox": {func(w *world) {
			w.make("k8s.io", "p1", containerd.Origin{Sandbox: true})
			w.start("k8s.io", "p1", 7)
			time.Sleep(5 * time.Second)
			w.mu.Lock()
			w.cri["p1"] = true
			w.mu.Unlock()
		}, nil},
		"sandbox_that_fails": {func(w *world) {
			w.make("k8s.io", "p1", containerd.Origin{Sandbox: true})
			w.start("k8s.io", "p1", 7)
			time.Sleep(5 * time.Second)
			w.end("k8s.io", "p1")
		}, nil},
		"says_that_it_is_a_sandbox": {func(w *world) {
			w.make("k8s.io", "p1", containerd.Origin{Sandbox: true})
			w.start("k8s.io", "p1", 7)
		}, []string{"k8s.io/p1 ctr audit"}},
		"says_that_it_is_the_kubelet's": {func(w *world) {
			w.make("k8s.io", "c1", containerd.Origin{InPod: true})
			w.start("k8s.io", "c1", 7)
		}, []string{"k8s.io/c1 ctr audit"}},
		"sandbox_elsewhere": {func(w *world) {
			w.make("default", "p1", containerd.Origin{Sandbox: true})
			w.start("default", "p1", 7)
		}, []string{"default/p1 ctr audit"}},
		"step_of_a_build":    {func(w *world) { w.make("buildkit", "b1", containerd.Origin{}); w.start("buildkit", "b1", 7) }, nil},
		"no_step_of_a_build": {func(w *world) { w.make("buildkit", "c1", nginx); w.start("buildkit", "c1", 7) }, []string{"buildkit/c1 buildkit audit"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				_, stop := w.watch(t, false)
				defer stop()
				test.do(w)
				time.Sleep(30 * time.Second) // longer than any patience
				synctest.Wait()
				if diff := cmp.Diff(test.want, w.found()); diff != "" {
					t.Errorf("recorded (-want +got):\n%s", diff)
				}
				if len(w.killed) > 0 {
					t.Errorf("killed %v", w.killed)
				}
			})
		})
	}
}

func TestState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		watcher, stop := w.watch(t, false)
		defer stop()
		for i := range uint32(7) {
			id := fmt.Sprintf("c%d", i)
			w.make("moby", id, nginx)
			w.start("moby", id, i+1)
		}
		w.cri["p1"] = true
		w.make("k8s.io", "p1", containerd.Origin{Sandbox: true})
		w.start("k8s.io", "p1", 99)
		w.make("buildkit", "b1", containerd.Origin{})
		w.start("buildkit", "b1", 100)
		synctest.Wait()
		s := watcher.State()
		if !s.Watching || s.Unjudged != 7 || s.Killed != 0 || s.Pods != 1 || s.Builds != 1 || len(s.Recent) != maxRecent {
			t.Errorf("got %+v", s)
		}
		if f := s.Recent[maxRecent-1]; f.ID != "c6" || f.Image != "nginx:1" || f.Client != "docker" || f.Seq != 7 {
			t.Errorf("the newest is %+v", f)
		}
		if d := w.log[0]; d.Policy != "sha256:p" || d.PolicyVersion != "clinic 1.2.0" || !strings.Contains(d.Message, Hint) || d.Image != "nginx:1" {
			t.Errorf("recorded %+v", d)
		}

		w.broken <- errors.New("gone")
		synctest.Wait()
		if s := watcher.State(); s.Watching || s.Error != "gone" {
			t.Errorf("after the connection broke: %+v", s)
		}
		// What started meanwhile, and was not heard of, is found when it is back.
		w.mu.Lock()
		w.running = append(w.running, containerd.Stage{Moment: containerd.StartedTask, Namespace: "moby", ID: "late", PID: 200})
		w.mu.Unlock()
		time.Sleep(time.Second)
		synctest.Wait()
		if s := watcher.State(); !s.Watching || s.Unjudged != 8 || s.Recent[maxRecent-1].ID != "late" {
			t.Errorf("after it was back: %+v", s)
		}
	})
}

// What runs already when phigated starts is told by the log of its earlier lives.
func TestEarlierLives(t *testing.T) {
	for _, kill := range []bool{false, true} {
		t.Run(fmt.Sprintf("kill_%t", kill), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				run := func(namespace, id string) {
					o := nginx
					o.Created = time.Now()
					w.origins[key{namespace, id}] = &o
					w.running = append(w.running, containerd.Stage{Moment: containerd.StartedTask, Namespace: namespace, ID: id, PID: uint32(len(w.running) + 1)})
					time.Sleep(time.Second)
				}
				run("default", "before-the-gate")
				w.decide("k8s.io", "x", policy.GateStart, policy.Allow)
				run("default", "judged")
				w.decide("default", "judged", "wrapper", policy.Allow)
				run("default", "found")
				_, _ = w.Record(t.Context(), &policy.Decision{Kind: Kind, Container: "found", RuntimeNamespace: "default", Target: "default/found", Runtime: "ctr", Verdict: policy.Audit})
				run("default", "meanwhile")
				w.cri["k"] = true
				run("k8s.io", "k")

				watcher, stop := w.watch(t, kill)
				defer stop()
				time.Sleep(time.Second)
				synctest.Wait()
				action, killed := "audit", []string(nil)
				if kill {
					action, killed = "block", []string{"default/meanwhile"}
				}
				if diff := cmp.Diff([]string{"default/found ctr audit", "default/before-the-gate ctr audit", "default/meanwhile ctr " + action}, w.found()); diff != "" {
					t.Errorf("recorded (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff(killed, w.killed); diff != "" {
					t.Errorf("killed (-want +got):\n%s", diff)
				}
				if s := watcher.State(); s.Unjudged != 3 || w.reads != 1 {
					t.Errorf("%d unjudged, the log was read %d times from its beginning; want 3, once", s.Unjudged, w.reads)
				}
			})
		})
	}
}

func TestKill(t *testing.T) {
	tests := map[string]struct {
		err    error
		killed bool
		says   string
	}{
		"done":  {nil, true, "it was killed"},
		"gone":  {fmt.Errorf("killing: %w", containerd.ErrNotFound), false, "had ended"},
		"fails": {errors.New("no"), false, "killing it did not work: no"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				w.killing = test.err
				watcher, stop := w.watch(t, true)
				defer stop()
				w.make("default", "c1", nginx)
				w.start("default", "c1", 7)
				synctest.Wait()
				d := w.log[len(w.log)-1]
				if got := watcher.State().Killed == 1; got != test.killed || (d.Verdict == policy.Block) != test.killed || !strings.Contains(d.Message, test.says) {
					t.Errorf("killed %t, verdict %s, message %q; want %t and %q", got, d.Verdict, d.Message, test.killed, test.says)
				}
			})
		})
	}
}

// While CRI does not answer, nothing of its namespace is held against a
// container; while the log cannot be read, nothing at all is.
func TestNothingIsKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		_, stop := w.watch(t, true)
		defer stop()
		w.silent = errors.New("server is not initialized yet")
		w.make("k8s.io", "c1", containerd.Origin{InPod: true})
		w.start("k8s.io", "c1", 7)
		w.make("k8s.io", "c2", nginx)
		w.start("k8s.io", "c2", 8)
		time.Sleep(time.Minute)
		w.mu.Lock()
		silent := w.killed
		w.cri["c1"], w.silent = true, nil
		w.mu.Unlock()
		if len(silent) > 0 {
			t.Errorf("killed %v before CRI answered", silent)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if diff := cmp.Diff([]string{"k8s.io/c2"}, w.killed); diff != "" {
			t.Errorf("killed (-want +got):\n%s", diff)
		}

		w.mu.Lock()
		w.mute = errors.New("the disk is gone")
		w.mu.Unlock()
		w.make("default", "c3", nginx)
		w.start("default", "c3", 9)
		time.Sleep(time.Minute)
		if len(w.killed) != 1 {
			t.Errorf("killed %v although the log cannot be read", w.killed)
		}
		w.mu.Lock()
		w.mute = nil
		w.mu.Unlock()
		time.Sleep(time.Second)
		synctest.Wait()
		if len(w.killed) != 2 || len(w.found()) != 2 {
			t.Errorf("killed %v, recorded %v; want two each", w.killed, w.found())
		}
	})
}

// More stages than there is room for are made up for by a sweep.
func TestFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		watcher, stop := w.watch(t, false)
		defer stop()
		const n = 3 * maxStages
		for i := range uint32(n) {
			w.running = append(w.running, containerd.Stage{Moment: containerd.StartedTask, Namespace: "default", ID: fmt.Sprint("c", i), PID: i + 1})
		}
		for _, s := range w.running {
			s.Time = time.Now()
			w.hear(s) // nothing is taken meanwhile
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if s := watcher.State(); s.Unjudged != n {
			t.Errorf("%d unjudged, want %d", s.Unjudged, n)
		}
	})
}

func TestLedgerIsBounded(t *testing.T) {
	w := newWorld()
	l := newLedger(w)
	for i := range 3 * maxEntries {
		l.note(&policy.Decision{Seq: uint64(i + 1), Kind: "verdict", Container: fmt.Sprint("c", i), RuntimeNamespace: "k8s.io", Gate: policy.GateStart, Verdict: policy.Allow})
	}
	if n := len(l.recent) + len(l.older); n > 2*maxEntries || !l.cut {
		t.Errorf("%d entries are held, cut is %t", n, l.cut)
	}
}

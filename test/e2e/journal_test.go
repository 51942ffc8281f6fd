package e2e

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/test/gate"
	"github.com/phigate/phigate/test/journald"
	"github.com/phigate/phigate/test/node"
)

// Decisions reach a real journald, and one that is absent or hangs delays none.
func TestJournal(t *testing.T) {
	j := journald.New(t)
	r := newRig(t, node.Options{}, gate.Options{Journal: j.Socket, Policies: examplePolicy(t)})
	image := r.image("plain")
	pod := r.pod(node.PodOptions{})

	t.Run("absent_at_start", func(t *testing.T) {
		r := r.in(t)
		id := r.admit(pod, sleeps(image))
		j.Run(t)
		entries := j.Await(t, 2, "PHIGATE_CONTAINER_ID="+id)
		for i, want := range []policy.Gate{firstGate(), policy.GateStart} {
			if entries[i]["PHIGATE_GATE"] != string(want) || entries[i]["PHIGATE_ACTION"] != "allow" {
				t.Errorf("entry %d is of gate %v, action %v; want %s, allow", i, entries[i]["PHIGATE_GATE"], entries[i]["PHIGATE_ACTION"], want)
			}
		}
		j.Await(t, 1, "PHIGATE_KIND=start") // from before journald was there
	})

	t.Run("fields_of_a_refusal", func(t *testing.T) {
		r := r.in(t)
		r.refuse(pod, sleeps(image, mount(r.node.Address, "/run/c.sock")))
		d := r.newest()
		e := j.Await(t, 1, fmt.Sprintf("PHIGATE_SEQ=%d", d.Seq))[0]
		for field, want := range map[string]string{
			"PHIGATE_KIND": "verdict", "PHIGATE_ACTION": "block", "PHIGATE_NAMESPACE": "clinic-a", "PHIGATE_IMAGE": image,
			"PHIGATE_CONTAINER_ID": d.Container, "PHIGATE_POLICY_DIGEST": d.Policy, "SYSLOG_IDENTIFIER": "phigate", "PRIORITY": "4",
		} {
			if e[field] != want {
				t.Errorf("%s is %v, want %s", field, e[field], want)
			}
		}
		for _, field := range []string{"MESSAGE", "MESSAGE_ID", "PHIGATE_RULE"} {
			if e[field] == nil {
				t.Errorf("%s is missing", field)
			}
		}
	})

	t.Run("hung", func(t *testing.T) {
		r := r.in(t)
		usual := r.creates(pod, image, 10)
		j.Pause(t)
		hung := r.creates(pod, image, 60)
		j.Continue(t)
		if a, b := median(usual), median(hung); b > 5*a+100*time.Millisecond {
			t.Errorf("a create takes %s while journald hangs, and %s before", b, a)
		}
		last := r.newest()
		j.Await(t, 1, fmt.Sprintf("PHIGATE_SEQ=%d", last.Seq))
	})

	t.Run("none_is_lost_or_sent_twice", func(t *testing.T) {
		ds, err := r.in(t).gate.Decisions(r.ctx)
		r.in(t).must(err)
		seen := map[string]int{}
		for _, e := range j.Entries(t, "SYSLOG_IDENTIFIER=phigate") {
			seen[fmt.Sprint(e["PHIGATE_SEQ"])]++
		}
		for _, d := range ds {
			if n := seen[fmt.Sprint(d.Seq)]; n != 1 {
				t.Errorf("record %d is in the journal %d times", d.Seq, n)
			}
		}
	})
}

// creates times n creates, and removes the containers again.
func (r *rig) creates(pod, image string, n int) (times []time.Duration) {
	r.Helper()
	for range n {
		began := time.Now()
		id, err := r.node.Create(r.ctx, pod, sleeps(image))
		times = append(times, time.Since(began))
		r.must(err)
		r.must(r.node.Remove(r.ctx, id))
	}
	return times
}

func median(times []time.Duration) time.Duration {
	slices.Sort(times)
	return times[len(times)/2]
}

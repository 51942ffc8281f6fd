package bypass

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/phigate/phigate/plugin/containerd"
	"github.com/phigate/phigate/policy"
)

// Kind is the kind of record of a container that no gate has judged. (One of
// kind "unjudged" is of a container that a gate has refused for want of a
// verdict.)
const Kind = "bypass"

// Hint is what to do about it.
const Hint = "ctr, nerdctl and Docker never reach NRI: install the runc wrapper"

// The namespaces that Docker and BuildKit use, whatever their version.
const (
	docker   = "moby"
	buildkit = "buildkit"
)

// How long CRI may take to own up to what says that it is CRI's. A container is
// CRI's before it starts. A sandbox is one only when its pod's network and the
// NRI plugins are done with it; a pod that fails there is removed within that
// time.
const (
	patienceContainer = 2 * time.Second
	patienceSandbox   = 20 * time.Second
)

// recordWithin bounds the wait for the record.
const recordWithin = 10 * time.Second

// class is what a container without a verdict is.
type class uint8

const (
	bypass class = iota
	undecided
	ofCRI // a sandbox, or a container that NRI's catch-up judges
	build
	gone
)

// unjudged sees to a container without a verdict.
func (w *Watcher) unjudged(ctx context.Context, c *container) {
	switch w.class(ctx, c) {
	case undecided:
		w.waiting = append(w.waiting, c)
	case ofCRI:
		if c.origin != nil && c.origin.Sandbox {
			w.count(func(s *State) { s.Pods++ })
		}
	case build:
		w.count(func(s *State) { s.Builds++ })
	case bypass:
		w.found(ctx, c)
	}
}

func (w *Watcher) count(change func(*State)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change(&w.state)
}

// class: in the namespace of the kubelet's containers CRI itself says what is
// its own, and a record that only looks like CRI's is none.
func (w *Watcher) class(ctx context.Context, c *container) class {
	if c.origin == nil {
		w.read(ctx, c)
	}
	switch {
	case c.namespace == containerd.Namespace:
		return w.classInCRI(ctx, c)
	case c.namespace == buildkit && c.origin != nil && !c.origin.Snapshot && c.origin.Image == "":
		// BuildKit mounts the root filesystem of a step itself, and names no image.
		return build
	}
	return bypass
}

func (w *Watcher) classInCRI(ctx context.Context, c *container) class {
	asked, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	has, err := w.Runtime.CRIHas(asked, c.id)
	age := time.Since(c.started)
	claims := c.origin != nil && (c.origin.Sandbox || c.origin.InPod)
	switch {
	case has:
		return ofCRI
	case err == nil && !claims:
		return bypass
	case err == nil && age < c.patience():
		return undecided
	case w.runs(asked, c):
		if err != nil { // CRI has not answered, and nothing is held against a container before it has
			return undecided
		}
		return bypass
	case claims:
		return gone
	}
	return bypass
}

func (c *container) patience() time.Duration {
	if c.origin.Sandbox {
		return patienceSandbox
	}
	return patienceContainer
}

// runs says whether the container's process is still there; it is taken to be
// where containerd does not say.
func (w *Watcher) runs(ctx context.Context, c *container) bool {
	running, err := w.Runtime.Running(ctx)
	return err != nil || slices.ContainsFunc(running, func(s containerd.Stage) bool {
		return s.Namespace == c.namespace && s.ID == c.id
	})
}

// found records a container that no gate has judged, and kills it where that is
// asked for. What was found in an earlier life is only counted, and what is older
// than the log is never killed: it ran before there was a gate.
func (w *Watcher) found(ctx context.Context, c *container) {
	f := Found{Namespace: c.namespace, ID: c.id, Image: policy.Printable(c.image), Client: client(c), Time: c.started.UTC()}
	if e := w.ledger.of(c.key); e.again(c) {
		f.Time, f.Seq = e.found.UTC(), e.record
		w.note(f)
		return
	}
	outcome := "it runs on"
	if w.Kill && (c.since.IsZero() || !c.since.Before(w.ledger.first)) {
		f.Killed, outcome = w.kill(ctx, c)
	}
	d := w.decision(f, outcome)
	w.Slog.Warn("a container runs that no gate has judged", "namespace", f.Namespace, "container", f.ID, "image", f.Image, "client", f.Client, "outcome", outcome)
	recording, cancel := context.WithTimeout(ctx, recordWithin)
	defer cancel()
	seq, err := w.Log.Record(recording, d)
	if err != nil {
		w.Slog.Error("recording a container that no gate has judged", "container", f.ID, "error", err)
	}
	f.Seq = seq
	w.note(f)
}

func (w *Watcher) kill(ctx context.Context, c *container) (killed bool, outcome string) {
	ctx, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	err := w.Runtime.Kill(ctx, c.namespace, c.id)
	switch {
	case err == nil:
		return true, "it was killed"
	case errors.Is(err, containerd.ErrNotFound):
		return false, "it had ended before it could be killed"
	default:
		return false, "killing it did not work: " + err.Error()
	}
}

func (w *Watcher) note(f Found) {
	w.count(func(s *State) {
		s.Unjudged++
		if f.Killed {
			s.Killed++
		}
		s.Recent = append(s.Recent, f)
		if len(s.Recent) > maxRecent {
			s.Recent = s.Recent[len(s.Recent)-maxRecent:]
		}
	})
}

// decision is the record of a container that no gate has judged. It has no
// verdict: where it was not killed its action is audit, else block.
func (w *Watcher) decision(f Found, outcome string) *policy.Decision {
	s := &policy.Subject{
		ID: f.ID, Name: f.Namespace + "/" + f.ID, Runtime: f.Client, RuntimeNamespace: f.Namespace, Image: policy.Image{Ref: f.Image},
	}
	action := policy.Audit
	if f.Killed {
		action = policy.Block
	}
	inForce := w.Policy()
	d := policy.NewDecision(s, policy.Verdict{Action: action, Policy: inForce.Digest, PolicyVersion: inForce.Version}, f.Time, 0)
	d.Kind = Kind
	d.Message = policy.Printable(fmt.Sprintf("image %s runs and no gate has judged it (it seems to be of %s; %s); %s", cmp.Or(f.Image, "unknown"), f.Client, Hint, outcome))
	return d
}

// client names who seems to have started the container. A user of that client
// could write the same, so nothing hangs on it.
func client(c *container) string {
	switch c.namespace {
	case docker:
		return "docker"
	case buildkit:
		return "buildkit"
	}
	if c.origin != nil {
		for label := range c.origin.Labels {
			if strings.HasPrefix(label, "nerdctl/") {
				return "nerdctl"
			}
		}
	}
	return "ctr"
}

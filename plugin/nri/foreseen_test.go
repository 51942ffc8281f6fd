package nri

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/phigate/phigate/plugin/containerd"
	"github.com/phigate/phigate/policy"
)

// A start goes by the record that was foreseen only where the runtime says, after
// it was asked, that this is the record still.
func TestStartGoesByWhatWasForeseen(t *testing.T) {
	yes, no := func(context.Context) bool { return true }, func(context.Context) bool { return false }
	tests := []struct {
		name string
		same func(context.Context) bool // nil: nothing was foreseen
		edit func(*Door, *engine, *runtime)
		spec string // the host name in the spec that was judged; empty: none was
		says string // empty: it is admitted
	}{
		{"same", yes, nil, "foreseen", ""},
		{"changed", no, nil, "now", ""},
		{"nothing_foreseen", nil, nil, "now", ""},
		{"asking_crashes", func(context.Context) bool { panic("123-45-6789") }, nil, "now", ""},
		{"asking_hangs", func(context.Context) bool { select {} }, nil, "", "no verdict in time"},
		{"changed_and_gone", no, func(_ *Door, _ *engine, r *runtime) { r.record = nil }, "", "not known to containerd"},
		{"same_and_blocked", yes, func(_ *Door, e *engine, _ *runtime) { e.answer = decides(policy.Block) }, "foreseen", "phigate: blocked"},
		{"same_and_the_log_fails", yes, func(_ *Door, e *engine, _ *runtime) {
			e.answer = func(context.Context, *policy.Subject) (*policy.Decision, error) {
				return nil, errors.New("disk is full")
			}
		}, "foreseen", "no verdict: disk is full"},
		{"the_writable_folder_changed", yes, func(d *Door, _ *engine, r *runtime) {
			r.root.Upper, d.Upper = "/u", &upper{err: errors.New("files were written there")}
		}, "", "files were written there"},
		{"trouble_with_what_was_foreseen", yes, func(d *Door, _ *engine, r *runtime) {
			r.root.Upper, d.Upper = "/u", &troubledOnce{}
		}, "now", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d, e, r := newDoor()
			d.budget = 100 * time.Millisecond
			r.record.Spec = &specs.Spec{Hostname: "now"}
			if r.same = tt.same; r.same != nil {
				r.foreseen = &containerd.Foreseen{Record: &containerd.Record{ID: "c1", SnapshotKey: "c1", Spec: &specs.Spec{Hostname: "foreseen"}}}
			}
			if tt.edit != nil {
				tt.edit(d, e, r)
			}
			err := ask(t.Context(), d, policy.GateStart)
			if tt.says == "" && err != nil || tt.says != "" && (err == nil || !strings.Contains(err.Error(), tt.says)) {
				t.Errorf("the answer is %v, want %q", err, tt.says)
			}
			var judged []string
			for _, s := range e.subjects() {
				judged = append(judged, s.Spec.Hostname)
			}
			if got := strings.Join(judged, " "); got != tt.spec {
				t.Errorf("judged %q, want %q: one verdict, on the record as it is", got, tt.spec)
			}
			if tt.spec == "foreseen" && r.read != 0 {
				t.Errorf("the record was decoded %d times more", r.read)
			}
		})
	}
}

// troubledOnce is a folder that cannot be read the first time.
type troubledOnce struct {
	upper
	asked int
}

func (u *troubledOnce) Same(context.Context, string, string) (string, error) {
	if u.asked++; u.asked == 1 {
		return "", errors.New("it vanished")
	}
	return "", nil
}

// What is foreseen is for the start alone.
func TestOtherGatesForeseeNothing(t *testing.T) {
	for _, gate := range []policy.Gate{policy.GateCreate, policy.GateValidate} {
		d, _, r := newDoor()
		r.foreseen = &containerd.Foreseen{}
		r.same = func(context.Context) bool { t.Errorf("%s asked about the record", gate); return false }
		if err := ask(t.Context(), d, gate); err != nil {
			t.Errorf("%s: %v", gate, err)
		}
	}
}

// All but the record is read at the start: another policy, other facts, another
// sandbox show in the verdict although the record is the one that was foreseen.
func TestForeseenRecordIsJudgedByWhatIsTrueNow(t *testing.T) {
	d, e, r := newDoor()
	r.foreseen = &containerd.Foreseen{Record: &containerd.Record{ID: "c1", SnapshotKey: "c1", Spec: &specs.Spec{}}}
	r.same = func(context.Context) bool { return true }
	r.root = &containerd.Root{Snapshotter: "overlayfs", Chain: []string{"rescanned"}}
	r.sandbox = &containerd.Sandbox{Privileged: true}
	if err := ask(t.Context(), d, policy.GateStart); err != nil {
		t.Fatal(err)
	}
	s := e.subjects()[0]
	if strings.Join(s.Layers, " ") != "rescanned" || !s.PrivilegedPod || s.Sees&policy.FactSpec != policy.FactSpec {
		t.Errorf("judged layers %v, privileged pod %v, facts %q", s.Layers, s.PrivilegedPod, s.Sees)
	}
}

package handover

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/phigate/phigate/plugin/ask/judge"
	"github.com/phigate/phigate/plugin/containerd"
	"github.com/phigate/phigate/plugin/rootfs"
	"github.com/phigate/phigate/policy"
)

// world is all that a door asks; each of its zero values knows nothing.
type world struct {
	task      *containerd.Task
	image     *containerd.Image
	sandbox   *containerd.Sandbox
	committed []containerd.Committed
	cold      bool
	hang      bool // the runtime does not answer
	verdict   policy.Action
	broken    error // of the engine
	mute      error // of the record

	judged   []*policy.Subject
	unjudged []error
	recorded []*policy.Decision
	scanned  []string
	forgot   int
}

func (w *world) Named(s *policy.Subject) string { return s.Display() }

func (w *world) Evaluate(_ context.Context, s *policy.Subject) (*policy.Decision, error) {
	w.judged = append(w.judged, s)
	if w.broken != nil {
		return nil, w.broken
	}
	d := policy.NewDecision(s, policy.Verdict{Action: w.verdict}, time.Unix(1, 0), 0)
	d.Seq = 7
	return d, nil
}
func (w *world) Unjudged(_ *policy.Subject, why error) { w.unjudged = append(w.unjudged, why) }
func (w *world) Policy() *policy.Policy                { return &policy.Policy{Digest: "sha256:p"} }

func (w *world) Task(ctx context.Context, namespace, id string) (*containerd.Task, error) {
	if w.hang {
		<-make(chan int)
	}
	if w.task == nil || w.task.Namespace != namespace || w.task.ID != id {
		return nil, containerd.ErrNotFound
	}
	return w.task, nil
}
func (w *world) Layers(context.Context, *containerd.Task) ([]containerd.Committed, error) {
	return w.committed, nil
}
func (w *world) ImageBelow(context.Context, *containerd.Task) (*containerd.Image, error) {
	if w.image == nil {
		return nil, containerd.ErrNotFound
	}
	return w.image, nil
}
func (w *world) Sandbox(context.Context, string) (*containerd.Sandbox, error) {
	if w.sandbox == nil {
		return nil, containerd.ErrNotFound
	}
	return w.sandbox, nil
}
func (w *world) Root(context.Context, string) (*containerd.Root, error) {
	return &containerd.Root{Snapshotter: "overlayfs", Chain: []string{"sha256:volume"}}, nil
}

// scanner and folders answer for package prescan.
type scanner struct{ *world }

func (s scanner) Layers(root *containerd.Root) ([]string, bool) { return root.Chain, !s.cold }
func (s scanner) Known(_, name string) []string                 { return []string{"diff of " + name} }
func (s scanner) Cold([]string) string                          { return "scan in progress, 7 %" }

type folders struct{ *world }

func (f folders) Layer(_ context.Context, folder string, known ...string) (string, error) {
	f.scanned = append(f.scanned, folder)
	if len(known) > 0 {
		return known[0], nil
	}
	return "folder", nil
}
func (f folders) Once(ctx context.Context, name string, tree rootfs.Tree) (string, func(), error) {
	names := 0
	if err := tree.Walk(ctx, func(rootfs.Entry) error { names++; return nil }, func(string, error) {}); err != nil {
		return "", nil, err
	}
	return fmt.Sprintf("%d names of %s", names, name), func() { f.forgot++ }, nil
}

func (w *world) door() *Door {
	return &Door{
		Engine: w, Runtime: w, Scanner: scanner{w}, Folders: folders{w}, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Record: func(_ context.Context, d *policy.Decision) (uint64, error) {
			w.recorded = append(w.recorded, d)
			return 9, w.mute
		},
	}
}

// bundleOf is where containerd's shim of a namespace has the bundle of c1.
func bundleOf(namespace string) string {
	return "/run/containerd/io.containerd.runtime.v2.task/" + namespace + "/c1"
}

// judge asks about a container with the spec; its root filesystem is a folder
// with one file.
func (w *world) judge(t *testing.T, q judge.Question, spec *specs.Spec) (judge.Answer, *policy.Subject) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	root, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	config, err := json.Marshal(spec)
	if err != nil {
		t.Fatal(err)
	}
	if q.ID == "" {
		q.ID = "c1"
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	a := w.door().Judge(ctx, q, config, root)
	if len(w.judged) == 0 {
		return a, nil
	}
	if _, err := root.Stat(); err == nil {
		t.Error("the root filesystem is still held")
	}
	return a, w.judged[0]
}

// task is the record of c1.
func task(namespace, image, sandbox string) *containerd.Task {
	return &containerd.Task{Namespace: namespace, ID: "c1", Image: image, Sandbox: sandbox}
}

func TestClients(t *testing.T) {
	image := &containerd.Image{Name: "i:1", Digest: "sha256:d", Config: "sha256:c", Ports: []string{"21"}}
	named := task("default", "i:1", "")
	named.Labels = map[string]string{"nerdctl/name": "portal"}
	noted := task("k8s.io", "i:1", "s1")
	noted.Annotations = map[string]string{"io.kubernetes.container.hash": "1", "io.kubernetes.container.ports": `[{"containerPort":21,"protocol":"TCP"}]`}
	pod := &containerd.Sandbox{Pod: containerd.Identity{Namespace: "clinic-a", Name: "p", UID: "u"}, Ports: []containerd.SandboxPort{{Protocol: "tcp", ContainerPort: 8080}}}
	tests := map[string]struct {
		bundle      string
		annotations map[string]string
		world       world
		runtime     string
		target      string
		ports       int
	}{
		"ctr":    {bundle: bundleOf("default"), world: world{task: task("default", "i:1", ""), image: image}, runtime: "ctr", target: "c1", ports: 1},
		"folder": {bundle: bundleOf("default"), world: world{task: task("default", "", "")}, runtime: "ctr", target: "c1"},
		"nerdctl": {bundle: bundleOf("default"), world: world{task: named, image: image}, runtime: "nerdctl", target: "portal", ports: 2,
			annotations: map[string]string{"nerdctl/namespace": "default", "nerdctl/ports": `[{"HostPort":8021,"ContainerPort":2121,"Protocol":"tcp"}]`}},
		"kubelet": {bundle: bundleOf("k8s.io"), annotations: map[string]string{"io.kubernetes.cri.container-name": "app"},
			world: world{task: task("k8s.io", "i:1", "s1"), image: image, sandbox: pod}, runtime: "cri", target: "clinic-a/app", ports: 2},
		"kubelet_says_ports": {bundle: bundleOf("k8s.io"), annotations: map[string]string{"io.kubernetes.cri.container-name": "app"},
			world: world{task: noted, image: image, sandbox: pod}, runtime: "cri", target: "clinic-a/app", ports: 1},
		"sandbox": {bundle: bundleOf("k8s.io"), world: world{task: task("k8s.io", "", "c1"), sandbox: pod}, runtime: "cri", target: "clinic-a/pause"},
		// Annotations that anybody can write make nobody the kubelet's.
		"not_the_kubelet": {bundle: bundleOf("k8s.io"), world: world{task: task("k8s.io", "", "")}, runtime: "ctr", target: "c1",
			annotations: map[string]string{"io.kubernetes.cri.sandbox-namespace": "kube-system", "io.kubernetes.cri.container-name": "x"}},
		"buildkit_in_docker":  {bundle: "/var/lib/docker/buildkit/executor/c1", runtime: "buildkit", target: "c1"},
		"buildkitd":           {bundle: "/var/lib/buildkit/runc-overlayfs/executor/c1", runtime: "buildkit", target: "c1"},
		"buildkit_containerd": {bundle: bundleOf("buildkit"), world: world{task: task("buildkit", "", "")}, runtime: "buildkit", target: "c1"},
		"podman": {bundle: "/var/lib/containers/storage/overlay-containers/c1/userdata", runtime: "podman", target: "c1",
			annotations: map[string]string{"io.container.manager": "libpod"}},
		"by_hand": {bundle: "/root/bundle", runtime: "other", target: "c1"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := test.world
			w.verdict = policy.Allow
			a, s := w.judge(t, judge.Question{Door: "wrapper", Bundle: test.bundle}, &specs.Spec{Annotations: test.annotations})
			if !a.Allow || a.Seq != 7 || s == nil {
				t.Fatalf("got %+v, unjudged %v", a, w.unjudged)
			}
			if s.Runtime != test.runtime || s.Display() != test.target || len(s.Ports) != test.ports || s.Gate != policy.GateWrapper {
				t.Errorf("got %s of %s with %d ports at %s; want %s of %s with %d", s.Display(), s.Runtime, len(s.Ports), s.Gate, test.target, test.runtime, test.ports)
			}
			want := policy.FactSpec | policy.FactImage | policy.FactPorts | policy.FactFiles | policy.FactPrivilegedPod
			if s.Sees != want || s.Later != 0 || s.LaterGate != "" {
				t.Errorf("it sees %s and later %s; want all and nothing", s.Sees, s.Later)
			}
			if diff := cmp.Diff([]string{"1 names of c1"}, s.Layers); diff != "" || w.forgot != 1 {
				t.Errorf("layers, of which %d were forgotten: %s", w.forgot, diff)
			}
		})
	}
}

// Whatever goes wrong refuses, with words, and leaves a record.
func TestRefuses(t *testing.T) {
	other := world{task: task("default", "i:1", ""), image: &containerd.Image{Chain: []string{"sha256:x"}}, committed: []containerd.Committed{{Name: "sha256:y"}}}
	cold := world{task: task("k8s.io", "", ""), committed: other.committed, cold: true}
	tests := map[string]struct {
		world  world
		q      judge.Question
		want   string
		judged bool
	}{
		"blocked":        {world{verdict: policy.Block}, judge.Question{}, "phigate: blocked c1", true},
		"no_verdict":     {world{broken: errors.New("the disk is full")}, judge.Question{}, "phigate: refused c1: no verdict: the disk is full", true},
		"unknown":        {world{}, judge.Question{Bundle: bundleOf("default")}, "not known to containerd", false},
		"no_image":       {world{task: task("default", "i:1", "")}, judge.Question{Bundle: bundleOf("default")}, "not known to containerd", false},
		"no_sandbox":     {world{task: task("k8s.io", "", "s1")}, judge.Question{Bundle: bundleOf("k8s.io")}, "reading the pod's sandbox", false},
		"other_image":    {other, judge.Question{Bundle: bundleOf("default")}, "no longer the one below", false},
		"cold":           {cold, judge.Question{Bundle: bundleOf("k8s.io")}, "scan in progress, 7 %", false},
		"hangs":          {world{hang: true}, judge.Question{Bundle: bundleOf("default")}, "no verdict in time", false},
		"docker_nowhere": {world{}, judge.Question{Bundle: bundleOf("moby")}, "Docker's data root cannot be told", false},
		"other_device":   {world{}, judge.Question{Mount: "1 2 99:99 / /m rw - overlay overlay rw,lowerdir=/a"}, "is on device", false},
		"mount_nonsense": {world{}, judge.Question{Mount: "overlay"}, "no line of mountinfo", false},
		"nerdctl_ports":  {world{task: task("default", "", "")}, judge.Question{Bundle: bundleOf("default"), Command: "ports"}, "nerdctl/ports", false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := test.world
			spec := &specs.Spec{}
			if test.q.Command == "ports" {
				spec.Annotations = map[string]string{"nerdctl/ports": "no JSON"}
			}
			a, s := w.judge(t, test.q, spec)
			if a.Allow || a.Line == "" || !strings.Contains(a.Line, test.want) {
				t.Errorf("got %+v, want %q", a, test.want)
			}
			if (s != nil) != test.judged || len(w.unjudged) == 0 && !test.judged {
				t.Errorf("judged %v, unjudged %v", s, w.unjudged)
			}
		})
	}
}

func TestNoSpec(t *testing.T) {
	w := &world{verdict: policy.Allow}
	root, err := os.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	a := w.door().Judge(t.Context(), judge.Question{ID: "c1"}, []byte("no JSON"), root)
	if a.Allow || len(w.unjudged) != 1 || !strings.Contains(a.Line, "config.json is not JSON") {
		t.Errorf("got %+v, unjudged %v", a, w.unjudged)
	}
	if _, err := root.Stat(); err == nil {
		t.Error("the root filesystem is still held")
	}
}

// Break-glass changes no verdict: it is a record of its own.
func TestBreakGlass(t *testing.T) {
	glass := &judge.BreakGlass{File: "/g", Until: time.Unix(5, 0), Reason: "night shift"}
	w := &world{verdict: policy.Block}
	a, _ := w.judge(t, judge.Question{BreakGlass: glass}, &specs.Spec{})
	if a.Allow || !a.Noted || a.Seq != 9 || len(w.recorded) != 1 {
		t.Fatalf("got %+v and %d records", a, len(w.recorded))
	}
	d := w.recorded[0]
	if d.Kind != "override" || d.Container != "c1" || d.Verdict != policy.Allow || !strings.Contains(d.Message, "night shift") || !strings.Contains(d.Message, "phigate: blocked c1") {
		t.Errorf("recorded %+v", d)
	}
	w = &world{verdict: policy.Block, mute: errors.New("the disk is full")}
	if a, _ = w.judge(t, judge.Question{BreakGlass: glass}, &specs.Spec{}); a.Noted {
		t.Error("what was not recorded was said to be")
	}
	w = &world{verdict: policy.Allow}
	if a, _ = w.judge(t, judge.Question{BreakGlass: glass}, &specs.Spec{}); !a.Allow || len(w.recorded) > 0 {
		t.Errorf("got %+v and %d records for a container that needed none", a, len(w.recorded))
	}
}

// A pod's requester is what CRI's own record of it says; anybody else's is the
// kernel's login, and nobody is guessed.
func TestRequester(t *testing.T) {
	login := uint32(1000)
	asked := policy.Requester{Name: "jane@clinic.example", From: policy.FromAnnotation}
	pod := &containerd.Sandbox{Pod: containerd.Identity{Namespace: "clinic-a", Name: "p", UID: "u", Requester: asked}}
	for name, test := range map[string]struct {
		world    world
		question judge.Question
		want     policy.Requester
	}{
		"pod":   {world{task: task("k8s.io", "", "c1"), sandbox: pod}, judge.Question{Bundle: bundleOf("k8s.io")}, asked},
		"login": {world{}, judge.Question{Bundle: "/root/bundle", Login: &login}, policy.Requester{Name: "uid 1000", From: policy.FromLogin}},
		"none":  {world{}, judge.Question{Bundle: "/root/bundle"}, policy.Requester{}},
	} {
		t.Run(name, func(t *testing.T) {
			w := test.world
			w.verdict = policy.Allow
			test.question.Door = "wrapper"
			_, s := w.judge(t, test.question, &specs.Spec{Annotations: map[string]string{policy.RequesterAnnotation: "forged"}})
			if s == nil || s.Requester != test.want {
				t.Errorf("got %+v, want %+v", s, test.want)
			}
		})
	}
}

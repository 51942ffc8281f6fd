package nri

import (
	"context"
	"testing"
	"time"

	"github.com/containerd/nri/pkg/api"
	"github.com/google/go-cmp/cmp"
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/phigate/phigate/plugin/containerd"
	judge "github.com/phigate/phigate/plugin/engine"
	"github.com/phigate/phigate/plugin/inspect"
	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/config"
	"github.com/phigate/phigate/policy/rules"
)

// forgetful records nothing and says that it did.
type forgetful struct{}

func (forgetful) Record(context.Context, *policy.Decision) (uint64, error) { return 1, nil }
func (forgetful) Last() time.Time                                          { return time.Time{} }

// With sections of the spec missing a container is refused; nothing crashes,
// and nothing that is not there is taken for compliant.
func TestMissingSections(t *testing.T) {
	baseline, problems := config.Compile(nil, inspect.Catalogue())
	if baseline == nil {
		t.Fatalf("the baseline does not compile: %v", problems)
	}
	engine := judge.New(forgetful{}, &inspect.Spec{Rules: rules.All()})
	engine.SetPolicy(baseline)
	containers := map[string]*api.Container{
		"nothing":         nil,
		"no_id":           {Name: "app"},
		"id_alone":        {Id: "c1"},
		"no_linux":        {Id: "c1", Name: "app", Args: []string{"/bin/app"}, User: &api.User{Uid: 1000}},
		"empty_linux":     {Id: "c1", Linux: &api.LinuxContainer{}},
		"empty_mount":     {Id: "c1", Mounts: []*api.Mount{{}}},
		"missing_mount":   {Id: "c1", Mounts: []*api.Mount{nil}},
		"missing_device":  {Id: "c1", Linux: &api.LinuxContainer{Devices: []*api.LinuxDevice{nil}}},
		"odd_environment": {Id: "c1", Env: []string{"", "=", "A"}},
	}
	for name, c := range containers {
		for _, p := range []*api.PodSandbox{nil, pod()} {
			d, _, _ := newDoor()
			d.Engine = engine
			if err := d.ValidateContainerAdjustment(t.Context(), &api.ValidateContainerAdjustmentRequest{Pod: p, Container: c}); err == nil {
				t.Errorf("%s: admitted at validate (with a pod: %v)", name, p != nil)
			}
			if _, _, err := d.CreateContainer(t.Context(), p, c); err == nil {
				t.Errorf("%s: admitted at create (with a pod: %v)", name, p != nil)
			}
		}
	}
	records := map[string]*containerd.Record{
		"no_record": nil, "no_spec": {ID: "c1"}, "empty_spec": {ID: "c1", Spec: &specs.Spec{}},
		"no_linux":        {ID: "c1", Spec: &specs.Spec{Process: &specs.Process{NoNewPrivileges: true}, Root: &specs.Root{Readonly: true}}},
		"no_process":      {ID: "c1", Spec: &specs.Spec{Linux: &specs.Linux{}, Root: &specs.Root{}}},
		"no_capabilities": {ID: "c1", Spec: &specs.Spec{Process: &specs.Process{}, Linux: &specs.Linux{Resources: nil}}},
	}
	for name, record := range records {
		d, _, r := newDoor()
		d.Engine, r.record = engine, record
		if err := d.StartContainer(t.Context(), pod(), ctr()); err == nil {
			t.Errorf("%s: admitted at start", name)
		}
	}
}

func TestEarlySpec(t *testing.T) {
	mapped := ctr()
	mapped.Linux.Namespaces = append(mapped.Linux.Namespaces, &api.LinuxNamespace{Type: "user"})
	anonymous := ctr()
	anonymous.User = nil
	mounted := ctr()
	mounted.Mounts = []*api.Mount{{Destination: "/a", Source: "/x", Type: "bind", Options: []string{"ro"}}, {Destination: "/b", Source: "/y"}}
	tests := []struct {
		name   string
		ctr    *api.Container
		adjust *api.ContainerAdjustment
		hidden policy.Facts // of what this gate sees otherwise
		check  func(*specs.Spec) any
		want   any
	}{
		{"pristine", ctr(), nil, 0, func(s *specs.Spec) any { return s.Process.Args }, []string{"/bin/app"}},
		{"user", ctr(), nil, 0, func(s *specs.Spec) any { return s.Process.User.UID }, uint32(1000)},
		{"user_not_told", anonymous, nil, policy.FactUser, func(s *specs.Spec) any { return s.Process.User.UID }, uint32(0)},
		{"user_namespace_hides_the_user", mapped, nil, policy.FactUser, func(s *specs.Spec) any { return len(s.Linux.Namespaces) }, 3},
		{"user_namespace_by_adjustment", ctr(), &api.ContainerAdjustment{Linux: &api.LinuxContainerAdjustment{Namespaces: []*api.LinuxNamespace{{Type: "user"}}}},
			policy.FactUser, func(s *specs.Spec) any { return len(s.Linux.Namespaces) }, 3},
		{"mount_added", ctr(), &api.ContainerAdjustment{Mounts: []*api.Mount{{Destination: "/run/c.sock", Source: "/run/containerd/containerd.sock", Type: "bind"}}},
			0, func(s *specs.Spec) any { return []string{s.Mounts[0].Source, s.Mounts[0].Destination} }, []string{"/run/containerd/containerd.sock", "/run/c.sock"}},
		{"mount_removed", mounted, &api.ContainerAdjustment{Mounts: []*api.Mount{{Destination: "-/a"}}},
			0, func(s *specs.Spec) any { return []any{len(s.Mounts), s.Mounts[0].Source} }, []any{1, "/y"}},
		{"environment_added", ctr(), &api.ContainerAdjustment{Env: []*api.KeyValue{{Key: "B", Value: "2"}}},
			0, func(s *specs.Spec) any { return s.Process.Env }, []string{"A=1", "B=2"}},
		{"environment_replaced", ctr(), &api.ContainerAdjustment{Env: []*api.KeyValue{{Key: "A", Value: "2"}}},
			0, func(s *specs.Spec) any { return s.Process.Env }, []string{"A=2"}},
		{"environment_removed", ctr(), &api.ContainerAdjustment{Env: []*api.KeyValue{{Key: "-A"}}},
			0, func(s *specs.Spec) any { return len(s.Process.Env) }, 0},
		{"arguments_replaced", ctr(), &api.ContainerAdjustment{Args: []string{"/bin/other"}},
			0, func(s *specs.Spec) any { return s.Process.Args }, []string{"/bin/other"}},
		{"device_added", ctr(), &api.ContainerAdjustment{Linux: &api.LinuxContainerAdjustment{Devices: []*api.LinuxDevice{{Path: "/dev/sda", Type: "b", Major: 8}}}},
			0, func(s *specs.Spec) any { return []string{s.Linux.Devices[0].Path, s.Linux.Devices[0].Type} }, []string{"/dev/sda", "b"}},
		{"cdi_devices_are_not_injected_yet", ctr(), &api.ContainerAdjustment{CDIDevices: []*api.CDIDevice{{Name: "vendor.example/gpu=0"}}},
			policy.FactDevices | policy.FactDeviceRules | policy.FactMounts | policy.FactEnv | policy.FactUser,
			func(s *specs.Spec) any { return len(s.Linux.Devices) }, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := &policy.Subject{}
			if err := earlySpec(s, tt.ctr, tt.adjust); err != nil {
				t.Fatal(err)
			}
			if want := (early | policy.FactUser) &^ tt.hidden; s.Sees != want {
				t.Errorf("this gate sees %s; want %s", s.Sees, want)
			}
			if !s.Later.Has(policy.FactSpec) || s.LaterGate != policy.GateStart {
				t.Errorf("what is hidden is not left to the start, but %s to %q", s.Later, s.LaterGate)
			}
			if diff := cmp.Diff(tt.want, tt.check(s.Spec)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// The request belongs to the runtime; it is read and not changed.
func TestEarlySpecChangesNothing(t *testing.T) {
	adjust := &api.ContainerAdjustment{Env: []*api.KeyValue{{Key: "A", Value: "2"}}, CDIDevices: []*api.CDIDevice{{Name: "v/c=d"}}}
	c := ctr()
	if err := earlySpec(&policy.Subject{}, c, adjust); err != nil {
		t.Fatal(err)
	}
	if c.Env[0] != "A=1" || len(adjust.CDIDevices) != 1 {
		t.Error("the request was changed")
	}
}

func TestSurroundings(t *testing.T) {
	t.Run("image_volumes", func(t *testing.T) {
		d, e, r := newDoor()
		key := "/run/c/image-volumes/p1/sha256:v"
		r.volumes = map[string]*containerd.Root{key: {Snapshotter: "overlayfs", Chain: []string{"v1", "v2"}}}
		c := ctr()
		c.Mounts = []*api.Mount{{Destination: "/mnt/set/", Source: key + "/deep"}, {Destination: "/other", Source: "/run/c/image-volumes/p2/sha256:v"}}
		if err := d.ValidateContainerAdjustment(t.Context(), &api.ValidateContainerAdjustmentRequest{Pod: pod(), Container: c}); err != nil {
			t.Fatal(err)
		}
		want := []policy.Volume{{Destination: "/mnt/set", Layers: []string{"v1", "v2"}}}
		if diff := cmp.Diff(want, e.asked[0].Volumes); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	})

	t.Run("upper_folder_is_a_layer_on_top", func(t *testing.T) {
		for gate, want := range map[policy.Gate][]string{
			policy.GateValidate: {"l1", "l2", "upper@c1"}, policy.GateStart: {"l1", "l2", "upper@c1"},
		} {
			d, e, r := newDoor()
			r.root.Upper, d.Upper = "/u", &upper{key: "upper@c1"}
			if err := ask(t.Context(), d, gate); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, e.asked[0].Layers); diff != "" {
				t.Errorf("%s: -want +got:\n%s", gate, diff)
			}
		}
	})

	t.Run("privileged_pod", func(t *testing.T) {
		d, e, r := newDoor()
		r.sandbox.Privileged = true
		if err := ask(t.Context(), d, policy.GateValidate); err != nil {
			t.Fatal(err)
		}
		if s := e.asked[0]; !s.PrivilegedPod || !s.Sees.Has(policy.FactPrivilegedPod|policy.FactPorts|policy.FactFiles) {
			t.Errorf("privileged %v, sees %s", s.PrivilegedPod, s.Sees)
		}
	})

	t.Run("names_of_the_image", func(t *testing.T) {
		annotated := ctr()
		annotated.Image = nil
		annotated.Annotations = map[string]string{"io.kubernetes.cri.image-name": "localhost/app:1"}
		if got := imageOf(annotated); got != (imageRef{ref: "localhost/app:1"}) {
			t.Errorf("below containerd 2.4: %+v", got)
		}
		if got := imageOf(ctr()); got != (imageRef{ref: "localhost/app:1", config: "sha256:c"}) {
			t.Errorf("from containerd 2.4 on: %+v", got)
		}
	})
}

// Who asked for a pod is what the pod says, and never what its container does.
func TestRequester(t *testing.T) {
	p, c := pod(), ctr()
	c.Annotations = map[string]string{policy.RequesterAnnotation: "forged"}
	if got := identity(policy.GateValidate, p, c).Requester; got.Name != policy.UnknownRequester {
		t.Errorf("nothing says who asked, and it is %+v", got)
	}
	p.Annotations = map[string]string{policy.RequesterAnnotation: "jane@clinic.example"}
	if got := identity(policy.GateValidate, p, c).Requester; got != (policy.Requester{Name: "jane@clinic.example", From: policy.FromAnnotation}) {
		t.Errorf("got %+v", got)
	}
}

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/test/gate"
	"github.com/phigate/phigate/test/images"
	"github.com/phigate/phigate/test/node"
)

// examplePolicy is the dialect's worked example, as deploy/ ships it.
func examplePolicy(t *testing.T) map[string]string {
	t.Helper()
	root, err := node.Root()
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(root, "deploy/policies/example.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	return map[string]string{"example.yaml": string(data)}
}

func TestGates(t *testing.T) {
	r := newRig(t, node.Options{Require: []string{"phigate"}}, gate.Options{Policies: examplePolicy(t)})
	base := r.image("plain")
	pod := r.pod(node.PodOptions{})

	t.Run("compliant_runs", func(t *testing.T) {
		r := r.in(t)
		id := r.admit(pod, sleeps(base))
		status, err := r.node.State(r.ctx, id)
		r.must(err)
		if status.State != runtimeapi.ContainerState_CONTAINER_RUNNING {
			t.Errorf("state %v, want running", status.State)
		}
		ds := r.verdicts(id)
		if len(ds) != 2 || ds[0].Gate != firstGate() || ds[1].Gate != policy.GateStart {
			t.Fatalf("got %d decisions, want one at %s and one at start", len(ds), firstGate())
		}
		for _, d := range ds {
			if d.Verdict != policy.Allow || d.Coverage.Files == 0 || d.Namespace != "clinic-a" || d.Image != base {
				t.Errorf("%s: verdict %v, %d files, namespace %q, image %q", d.Gate, d.Verdict, d.Coverage.Files, d.Namespace, d.Image)
			}
		}
		if len(ds[0].Deferred) == 0 || len(ds[1].Deferred) != 0 {
			t.Errorf("%d rules deferred at the first gate and %d at start; want some and none", len(ds[0].Deferred), len(ds[1].Deferred))
		}
	})

	t.Run("file_and_port_in_one_answer", func(t *testing.T) {
		r := r.in(t)
		image := r.image("portal", images.Files{"/data/phi/patients.csv": images.Text(gate.Patients(12))}, images.Ports{"21/tcp"})
		r.refuse(pod, sleeps(image, func(o *node.ContainerOptions) { o.Name = "portal" }),
			"phigate: blocked clinic-a/portal: ", "/data/phi/patients.csv", "no-patient-files", "(~12 people)",
			"[phi-table, 45 CFR 164.", "plaintext-ports", "45 CFR 164.312(e)(1)", "phigate decisions ")
	})

	t.Run("folder_of_the_file_scanner", func(t *testing.T) {
		r := r.in(t)
		image := r.image("folder", images.Files{"/data/phi/deep/note.txt": images.Text("nothing\n")})
		r.refuse(pod, sleeps(image), "no-patient-files", "/data/phi/deep/note.txt")
	})

	t.Run("folder_behind_a_link", func(t *testing.T) {
		r := r.in(t)
		image := r.image("linked", images.Files{"/data": {Link: "/srv/store"}, "/srv/store/phi/note.txt": images.Text("nothing\n")})
		r.refuse(pod, sleeps(image), "no-patient-files", "/srv/store/phi/note.txt")
	})

	t.Run("mount_over_the_folder", func(t *testing.T) {
		r := r.in(t)
		r.refuse(pod, sleeps(base, func(o *node.ContainerOptions) {
			o.Mounts = []*runtimeapi.Mount{{HostPath: t.TempDir(), ContainerPath: "/data/phi/in", Readonly: true}}
		}), "no-patient-files", "mounts[")
	})

	t.Run("deleted_file_is_still_in_the_image", func(t *testing.T) {
		r := r.in(t)
		image := r.image("deleted", images.Files{"/srv/people.txt": images.Text(gate.Patients(5))},
			images.Files{images.Whiteout("/srv/people.txt"): {}})
		r.refuse(pod, sleeps(image), "in deleted image file /srv/people.txt", "phi-table")
	})

	t.Run("hl7_message", func(t *testing.T) {
		r := r.in(t)
		message := "MSH|^~\\&|LAB|HOSP|EHR|HOSP|20260101||ORU^R01|1|P|2.5\rPID|1||4711^^^HOSP^MR||Testpatient^Synthetic||19700101|F\r"
		image := r.image("hl7", images.Files{"/var/spool/in.hl7": images.Text(message)})
		r.refuse(pod, sleeps(image), "phi-hl7v2", "/var/spool/in.hl7", "(~1 person)")
	})

	t.Run("runtime_socket", func(t *testing.T) {
		r := r.in(t)
		r.refuse(pod, sleeps(base, mount(r.node.Address, "/run/c.sock")), "runtime-socket-mounted")
	})

	t.Run("host_pid", func(t *testing.T) {
		r := r.in(t)
		shared := r.pod(node.PodOptions{HostPID: true})
		r.refuse(shared, sleeps(base, func(o *node.ContainerOptions) { o.HostPID = true }), "host-pid")
	})

	t.Run("privileged_in_effect_is_refused_at_start", func(t *testing.T) {
		r := r.in(t)
		r.refuseStart(pod, sleeps(base, func(o *node.ContainerOptions) {
			o.AddCaps = []string{"SYS_ADMIN", "SYS_PTRACE", "SYS_MODULE", "NET_ADMIN", "DAC_READ_SEARCH"}
		}), "phigate: blocked", "privileged")
	})

	t.Run("privileged_is_refused_at_validate", func(t *testing.T) {
		r := r.in(t)
		open := r.pod(node.PodOptions{Privileged: true})
		r.refuse(open, sleeps(base, func(o *node.ContainerOptions) { o.Privileged = true }), "privileged")
		r.admit(open, sleeps(base)) // its neighbour is not
	})

	t.Run("platform_namespace_is_audited_for_isolation_and_not_for_phi", func(t *testing.T) {
		r := r.in(t)
		platform := r.pod(node.PodOptions{Namespace: "kube-system", Privileged: true})
		id := r.admit(platform, sleeps(base, func(o *node.ContainerOptions) { o.Privileged = true }))
		if d := r.verdicts(id)[0]; gate.Rules(d)["privileged"] != policy.Audit || len(d.Notes) == 0 {
			t.Errorf("privileged is %v with %d notes, want audit and a note", gate.Rules(d)["privileged"], len(d.Notes))
		}
		image := r.image("platform", images.Files{"/srv/people.txt": images.Text(gate.Patients(5))})
		r.refuse(platform, sleeps(image), "phi-table")
	})

	t.Run("image_volume", func(t *testing.T) {
		node.Needs(t, 2, 1, "CRI mounts no images as volumes")
		r := r.in(t)
		image := r.image("volume", images.Files{"/people.txt": images.Text(gate.Patients(7))})
		r.refuse(pod, sleeps(base, func(o *node.ContainerOptions) {
			o.Mounts = []*runtimeapi.Mount{{ContainerPath: "/mnt/set", Readonly: true, Image: &runtimeapi.ImageSpec{Image: image}}}
		}), "phi-table", "/mnt/set/people.txt")
	})

	t.Run("warnings_and_audits_are_recorded", func(t *testing.T) {
		r := r.in(t)
		own := r.pod(node.PodOptions{UID: "4711-0815"})
		secrets := filepath.Join(t.TempDir(), "pods/4711-0815/volumes/kubernetes.io~secret/db")
		r.must(os.MkdirAll(secrets, 0o700))
		id := r.admit(own, sleeps(base, mount(secrets, "/etc/db"), func(o *node.ContainerOptions) {
			o.Env = []string{"DB_PASSWORD=c0rrect-h0rse-b4ttery"}
		}))
		d := r.verdicts(id)[0]
		got := gate.Rules(d)
		if got["secrets-in-use"] != policy.Audit || got["secret-in-env"] != policy.Warn {
			t.Errorf("got %v; want secrets-in-use audited and secret-in-env warned", got)
		}
		var fields []string
		for _, f := range d.Findings {
			if f.Rule == "secrets-in-use" {
				fields = append(fields, f.Field)
			}
		}
		if all := strings.Join(fields, " "); !strings.Contains(all, "mounts[") || !strings.Contains(all, "process.env[") {
			t.Errorf("secrets-in-use was found at %q; want the mount and the environment", all)
		}
		r.leaks("c0rrect-h0rse")
	})

	t.Run("no_value_is_written_anywhere", func(t *testing.T) { r.in(t).leaks("Testpatient", "MRN100000", "E11.9") })
}

// firstGate is the one at which a container is created.
func firstGate() policy.Gate {
	if node.AtLeast(2, 2) {
		return policy.GateValidate
	}
	return policy.GateCreate
}

func mount(host, inside string) func(*node.ContainerOptions) {
	return func(o *node.ContainerOptions) {
		o.Mounts = append(o.Mounts, &runtimeapi.Mount{HostPath: host, ContainerPath: inside, Readonly: true})
	}
}

// leaks fails when one of the values stands in anything that phigated wrote.
func (r *rig) leaks(values ...string) {
	r.Helper()
	all, err := r.gate.Output()
	r.must(err)
	for i, value := range values {
		if strings.Contains(all, value) {
			r.Errorf("value %d of a planted record was written", i)
		}
	}
}

func TestPorts(t *testing.T) {
	r := newRig(t, node.Options{}, gate.Options{Policies: map[string]string{"ports.yaml": `
apiVersion: xray.aqua.security/v1
kind: Policy
metadata: {name: ports}
spec:
  rules:
  - {name: telnet-and-ftp, scanner: network, match: {any: ["port: 20-23"]}, action: block}
  - {name: tftp, scanner: network, match: {any: ["port: 69/udp"]}, action: block}
`}})
	base := r.image("plain")
	pod := r.pod(node.PodOptions{})
	mapped := r.pod(node.PodOptions{Ports: []*runtimeapi.PortMapping{{ContainerPort: 21}}})
	tests := []struct {
		name, pod string
		image     []images.Change
		edit      func(*node.ContainerOptions)
		wants     []string // empty: it is admitted
	}{
		{"exposed", pod, []images.Change{images.Ports{"23/tcp"}}, nil, []string{"telnet-and-ftp", "image.config.ExposedPorts"}},
		{"exposed_udp", pod, []images.Change{images.Ports{"69/udp"}}, nil, []string{"tftp"}},
		{"exposed_tcp_is_not_udp", pod, []images.Change{images.Ports{"69/tcp"}}, nil, nil},
		{"argument", pod, nil, func(o *node.ContainerOptions) { o.Command = []string{"/bin/busybox", "telnetd", "-p", "23"} }, []string{"telnet-and-ftp", "process.args"}},
		{"environment", pod, nil, func(o *node.ContainerOptions) { o.Env = []string{"PORT=21"} }, []string{"telnet-and-ftp", "process.env"}},
		{"pod_mapping", mapped, nil, nil, []string{"telnet-and-ftp", "pod.portMappings[0]"}},
		{"pod_mapping_of_another_container", mapped, nil, func(o *node.ContainerOptions) {
			o.Annotations = map[string]string{"io.kubernetes.container.hash": "1", "io.kubernetes.container.ports": `[{"containerPort":8443,"protocol":"TCP"}]`}
		}, nil},
		{"pod_mapping_attributed", mapped, nil, func(o *node.ContainerOptions) {
			o.Annotations = map[string]string{"io.kubernetes.container.hash": "1", "io.kubernetes.container.ports": `[{"containerPort":21,"protocol":"TCP"}]`}
		}, []string{"telnet-and-ftp", "container.ports[0]"}},
		{"none", pod, nil, nil, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := r.in(t)
			image := base
			if tt.image != nil {
				image = r.image(strings.ReplaceAll(tt.name, "_", "-"), tt.image...)
			}
			o := sleeps(image)
			if tt.edit != nil {
				tt.edit(&o)
			}
			if tt.wants == nil {
				r.admit(tt.pod, o)
			} else {
				r.refuse(tt.pod, o, tt.wants...)
			}
		})
	}
}

// Every snapshotter but overlayfs is read through a view of the whole.
func TestNativeSnapshotter(t *testing.T) {
	r := newRig(t, node.Options{Snapshotter: "native"}, gate.Options{})
	pod := r.pod(node.PodOptions{})
	id := r.admit(pod, sleeps(r.image("plain")))
	if skipped := r.verdicts(id)[0].Skipped; len(skipped) != 1 || skipped[0].Action != policy.Audit {
		t.Errorf("%d things skipped; want it said that layers are not seen apart", len(skipped))
	}
	image := r.image("people", images.Files{"/srv/people.txt": images.Text(gate.Patients(5))})
	r.refuse(pod, sleeps(image), "phi-table", "/srv/people.txt")
	left, err := os.ReadDir(filepath.Join(r.gate.StateDir, "views"))
	if err != nil || len(left) > 0 {
		t.Errorf("%d views are still mounted (error %v)", len(left), err)
	}
}

package policy_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/phigate/phigate/policy"
)

func TestCheckPHIVolume(t *testing.T) {
	for pattern, ok := range map[string]bool{
		"/srv/ephi": true, "/srv/ephi/**": true, "/srv/{a,b}/ephi:ro": true, "container:/data/phi": true,
		"": false, "/": false, "//": false, "srv": false, "/srv/[": false, "container:data": false, "container:/": false,
		"container:/data/*": false, "container:/data:ro": false, ":ro": false,
	} {
		if err := policy.CheckPHIVolume(pattern); (err == nil) != ok {
			t.Errorf("%q: %v, want it to pass: %t", pattern, err, ok)
		}
	}
}

// TestGrantsOfPHIVolumes: what a document declares is granted to those that it
// selects, and to nobody for labels that the pod's author writes.
func TestGrantsOfPHIVolumes(t *testing.T) {
	s := subject()
	p := &policy.Policy{Documents: []policy.Document{
		{PHIVolumes: []string{"/srv/a/**", "/srv/codes/**:ro", "container:/data"}},
		{PHIVolumes: []string{"/srv/l/**"}, Selector: byLabel},
		{PHIVolumes: []string{"/srv/o/**", "/srv/**"}, Selector: policy.Selector{Runtimes: []string{"none"}}},
	}}
	got := p.WithPHIVolumes(s)
	if s.PHIVolumes != nil {
		t.Error("the caller's subject was changed")
	}
	for path, foreign := range map[string]bool{
		"/srv/a": false, "/srv/a/b": false, "/srv/codes/icd": false, "/srv/o/x": true, "/srv": true, "/": true, "/srv/l/x": true, "/home": false,
	} {
		if got.ForeignPHIVolume(path) != foreign {
			t.Errorf("%s is foreign: %t, want %t", path, !foreign, foreign)
		}
	}
	if !got.PHIVolume("/srv/l/x") || got.PHIVolume("/data") || !got.ReadOnlyPHIVolume("/srv/codes") || got.ReadOnlyPHIVolume("/srv/a") {
		t.Error("the volumes that hold ePHI, or those of them to be read, are wrong")
	}
	if diff := cmp.Diff([]string{"/data"}, got.ContainerPHIPaths()); diff != "" {
		t.Errorf("paths of the container (-want +got):\n%s", diff)
	}
}

// TestDecideWithPHI: where a volume with ePHI is mounted a rule may be stricter
// than elsewhere; the operator's own word stands.
func TestDecideWithPHI(t *testing.T) {
	volumes := policy.Document{Name: "clinic", PHIVolumes: []string{"/srv/ephi/**", "container:/data/phi"}}
	with := func(change func(d *policy.Document)) policy.Document {
		d := volumes
		change(&d)
		return d
	}
	mount := func(source, destination string) []specs.Mount {
		return []specs.Mount{{Source: "proc", Destination: "/proc", Type: "proc"}, {Source: source, Destination: destination, Type: "bind"}}
	}
	for _, c := range []struct {
		name   string
		doc    policy.Document
		mounts []specs.Mount
		want   policy.Action
	}{
		{"mounted", volumes, mount("/srv/ephi/a", "/x"), policy.Block},
		{"mounted_above", volumes, mount("/srv", "/x"), policy.Block},
		{"through_a_link", volumes, mount("/link", "/x"), policy.Block},
		{"at_the_containers_path", volumes, mount("/var/lib/kubelet/pods/1/volumes/x", "/data/phi"), policy.Block},
		{"mounted_elsewhere", volumes, mount("/srv/code", "/x"), policy.Warn},
		{"nothing_mounted", volumes, nil, policy.Warn},
		{"source_not_said", volumes, mount("", "/x"), policy.Warn},
		{"of_others", with(func(d *policy.Document) { d.Selector.Runtimes = []string{"docker"} }), mount("/srv/ephi", "/x"), policy.Warn},
		{"by_label", with(func(d *policy.Document) { d.Selector = byLabel }), mount("/srv/ephi", "/x"), policy.Block},
		{"own_word", with(func(d *policy.Document) { d.Actions = actions{"phi": policy.Warn} }), mount("/srv/ephi", "/x"), policy.Warn},
		{"of_a_profile", with(func(d *policy.Document) {
			d.Inherited = map[string]policy.Inherited{"phi": {Action: policy.Warn, Profile: "p"}}
		}), mount("/srv/ephi", "/x"), policy.Block},
		{"mode_audit", with(func(d *policy.Document) { d.Mode = ptr(policy.AuditOnly) }), mount("/srv/ephi", "/x"), policy.Audit},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := subject()
			s.Spec = &specs.Spec{Mounts: c.mounts}
			s.Host.RealPath = map[string]string{"/link": "/srv/ephi/b"}
			p := &policy.Policy{Catalogue: catalogue(), Documents: []policy.Document{c.doc}}
			if v := policy.Decide(p, s, policy.Report{Findings: []policy.Finding{{Rule: "phi"}}}); v.Findings[0].Action != c.want {
				t.Errorf("got %s, want %s", v.Findings[0].Action, c.want)
			}
		})
	}
}

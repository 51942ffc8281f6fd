package policy_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

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

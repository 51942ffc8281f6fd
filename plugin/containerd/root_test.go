package containerd

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/containerd/containerd/v2/core/containers"
	"github.com/containerd/containerd/v2/core/mount"
	"github.com/containerd/typeurl/v2"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/known/anypb"
)

func TestOverlayFolders(t *testing.T) {
	tests := []struct {
		name   string
		mounts []mount.Mount
		lower  []string
		upper  string
		err    string
	}{
		{"container", []mount.Mount{{Type: "overlay", Source: "overlay", Options: []string{"index=off", "workdir=/s/9/work", "upperdir=/s/9/fs", "lowerdir=/s/3/fs:/s/2/fs:/s/1/fs"}}},
			[]string{"/s/1/fs", "/s/2/fs", "/s/3/fs"}, "/s/9/fs", ""},
		{"view_of_several", []mount.Mount{{Type: "overlay", Options: []string{"lowerdir=/s/2/fs:/s/1/fs"}}}, []string{"/s/1/fs", "/s/2/fs"}, "", ""},
		{"view_of_one", []mount.Mount{{Type: "bind", Source: "/s/1/fs", Options: []string{"ro", "rbind"}}}, []string{"/s/1/fs"}, "", ""},
		{"container_of_an_empty_image", []mount.Mount{{Type: "bind", Source: "/s/1/fs", Options: []string{"rw", "rbind"}}}, nil, "/s/1/fs", ""},
		{"none", nil, nil, "", "0 mounts"},
		{"two", make([]mount.Mount, 2), nil, "", "2 mounts"},
		{"another_type", []mount.Mount{{Type: "fuse"}}, nil, "", `type "fuse"`},
		{"relative", []mount.Mount{{Type: "overlay", Options: []string{"lowerdir=2/fs:1/fs"}}}, nil, "", "relative"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			lower, upper, err := overlayFolders(tt.mounts)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("got error %v, want one with %q", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.lower, lower); diff != "" || upper != tt.upper {
				t.Errorf("upper %q, want %q; lower (-want +got):\n%s", upper, tt.upper, diff)
			}
		})
	}
}

func TestExtension(t *testing.T) {
	tests := []struct {
		name, json, err string
	}{
		{"version_1", `{"Version":"v1","Metadata":{"Name":"x"}}`, ""},
		{"another_version", `{"Version":"v2","Metadata":{"Name":"x"}}`, `version "v2"`},
		{"no_json", `patient=Testpatient`, "unknown form"},
		{"missing", ``, "no CRI metadata"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			record := containers.Container{ID: "c1", Extensions: map[string]typeurl.Any{}}
			if tt.json != "" {
				record.Extensions["key"] = &anypb.Any{Value: []byte(tt.json)}
			}
			var meta struct{ Name string }
			err := extension(record, "key", &meta)
			switch {
			case tt.err == "" && (err != nil || meta.Name != "x"):
				t.Errorf("got name %q, error %v", meta.Name, err)
			case tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err) || strings.Contains(err.Error(), "Testpatient")):
				t.Error("the error does not say what is wrong, or quotes the record")
			}
		})
	}
}

func TestSpec(t *testing.T) {
	large, err := json.Marshal(strings.Repeat("x", MaxSpec))
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		any  typeurl.Any
		err  string
	}{
		{"ordinary", &anypb.Any{Value: []byte(`{"ociVersion":"1.2.0","process":{"args":["sh"]}}`)}, ""},
		{"missing", nil, "no OCI spec"},
		{"empty", &anypb.Any{}, "no OCI spec"},
		{"too_large", &anypb.Any{Value: large}, "more than"},
		{"no_spec", &anypb.Any{Value: []byte(`["Testpatient"]`)}, "not JSON of its kind"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := spec(tt.any)
			switch {
			case tt.err == "" && (err != nil || got.Process.Args[0] != "sh"):
				t.Errorf("error %v", err)
			case tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err) || strings.Contains(err.Error(), "Testpatient")):
				t.Error("the error does not say what is wrong, or quotes the spec")
			}
		})
	}
}

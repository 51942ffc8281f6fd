package conf

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/phigate/phigate/policy/config"
)

func TestReadPolicies(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	b, a := write("d/b.yml", "b"), write("d/a.yaml", "a")
	write("d/notes.txt", "no policy")
	write("d/.a.yaml.swp", "an editor's")
	write("d/.hidden.yaml", "hidden")
	write("d/below/c.yaml", "not read")
	lone := write("lone", "lone")
	linked := filepath.Join(dir, "configmap")
	if err := os.MkdirAll(linked, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(a, filepath.Join(linked, "x.yaml")); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "none"), 0o755); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name  string
		paths []string
		want  []config.File
	}{
		{"nothing", nil, nil},
		{"folder_in_order", []string{filepath.Join(dir, "d")}, []config.File{{Name: a, Data: []byte("a")}, {Name: b, Data: []byte("b")}}},
		{"file_of_any_name", []string{lone}, []config.File{{Name: lone, Data: []byte("lone")}}},
		{"as_given", []string{b, a}, []config.File{{Name: b, Data: []byte("b")}, {Name: a, Data: []byte("a")}}},
		{"links_are_followed", []string{linked}, []config.File{{Name: filepath.Join(linked, "x.yaml"), Data: []byte("a")}}},
		{"empty_folder", []string{filepath.Join(dir, "none")}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ReadPolicies(tt.paths)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestReadPoliciesRefuses(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe.yaml")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct{ path, want string }{
		"missing":          {filepath.Join(dir, "gone"), "does not exist: make it, or name another"},
		"pipe":             {pipe, "not a regular file"},
		"folder_with_pipe": {dir, "not a regular file"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := ReadPolicies([]string{tt.path}); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got error %v; want one with %q", err, tt.want)
			}
		})
	}
}

// No more of a file is read than shows the compiler that it is too large.
func TestReadPoliciesIsBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "huge.yaml")
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, 1<<40); err != nil {
		t.Fatal(err)
	}
	files, err := ReadPolicies([]string{path})
	if err != nil || len(files) != 1 || len(files[0].Data) != config.MaxSize+1 {
		t.Fatalf("%d files, error %v; want one of %d bytes", len(files), err, config.MaxSize+1)
	}
	if compiled, _ := config.Compile(files, nil); compiled != nil {
		t.Error("a policy of a terabyte was accepted")
	}
}

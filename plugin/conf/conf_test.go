package conf

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLoad(t *testing.T) {
	all := `
containerd: /srv/c.sock
nri: {socket: /srv/nri.sock, name: gate, index: "42"}
stateDir: /srv/state
socket: /srv/p.sock
policies: [/srv/a.yaml, /srv/b.d]
journal: ""
onUnjudged: kill
`
	want := Config{
		Containerd: "/srv/c.sock", NRI: NRI{Socket: "/srv/nri.sock", Name: "gate", Index: "42"},
		StateDir: "/srv/state", Socket: "/srv/p.sock", Policies: []string{"/srv/a.yaml", "/srv/b.d"}, OnUnjudged: "kill",
		Audit: AuditLog{RetentionDays: 2192},
	}
	got, err := Load(write(t, all))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("configuration differs (-want +got):\n%s", diff)
	}
	got, err = Load(write(t, "stateDir: /srv/state\n"))
	if err != nil {
		t.Fatal(err)
	}
	want = Default()
	want.StateDir = "/srv/state"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("what is left out differs from the default (-want +got):\n%s", diff)
	}
}

func TestLoadRefuses(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"unknown_key", "stateDri: /srv\n", "phigate.yaml:1:1: unknown key `stateDri` (did you mean `stateDir`?)"},
		{"unknown_key_below", "nri:\n  sokcet: /srv\n", "phigate.yaml:2:3: unknown key `sokcet` (did you mean `socket`?)"},
		{"relative_path", "socket: p.sock\n", "socket must be an absolute path"},
		{"relative_policy", "policies: [a.yaml]\n", `policies must be absolute paths, and "a.yaml" is not`},
		{"no_policies", "policies: []\n", "policies names no file"},
		{"index", "nri: {index: \"9\"}\n", "nri.index must be two digits"},
		{"name", "nri: {name: \"\"}\n", "nri.name is empty"},
		{"journal", "journal: socket\n", "journal must be an absolute path or empty"},
		{"witness_url", "audit: {witnesses: [{url: witness, key: a+b+c}]}\n", "must be an http or https URL"},
		{"witness_key", "audit: {witnesses: [{url: 'https://w', key: abc}]}\n", "must be a verifier key"},
		{"archive", "audit: {archive: there}\n", "audit.archive must be an absolute path"},
		{"archive_command", "audit: {archiveCommand: [cp]}\n", "must begin with an absolute path"},
		{"retention", "audit: {retentionDays: -1}\n", "must not be negative"},
		{"unjudged", "onUnjudged: block\n", `onUnjudged must be audit or kill, and is "block"`},
		{"too_large", strings.Repeat("#\n", maxSize), "not a file of at most"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Load(write(t, tt.text))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an error with %q", err, tt.want)
			}
		})
	}
}

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "phigate.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestReadPolicies(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"b.yaml", "a.yml", "c.txt", ".hidden.yaml"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	alone := filepath.Join(dir, "c.txt")
	files, err := ReadPolicies([]string{dir, VendorPolicies, alone})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range files {
		if strings.HasPrefix(f.Name, VendorPolicies) {
			continue // where this machine has phigate's package
		}
		got = append(got, fmt.Sprint(filepath.Base(f.Name), " ", f.Layer))
	}
	if diff := cmp.Diff([]string{"a.yml 0", "b.yaml 0", "c.txt 2"}, got); diff != "" {
		t.Errorf("files differ (-want +got):\n%s", diff)
	}
}

func TestReadPoliciesRefuses(t *testing.T) {
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo.yaml")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct{ name, path, want string }{
		{"missing", filepath.Join(dir, "none"), "does not exist"},
		{"fifo", fifo, "not a regular file"},
		{"fifo_in_a_folder", dir, "not a regular file"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := ReadPolicies([]string{tt.path})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an error with %q", err, tt.want)
			}
		})
	}
}

package e2e

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// What keeps phigated from beginning is said in one line, with a code that a
// service manager can act on: 2 for what an operator wrote, 1 for the rest.
func TestPhigatedCannotBegin(t *testing.T) {
	running := configured(t, "")
	first := exec.Command(filepath.Join(bin, "phigated"), "--config", running.config)
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = first.Process.Kill(); _ = first.Wait() }()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if c, err := net.Dial("unix", running.socket); err == nil {
			c.Close()
			break
		} else if time.Now().After(end) {
			t.Fatalf("the first phigated does not listen: %v", err)
		}
	}
	file := filepath.Join(t.TempDir(), "precious")
	if err := os.WriteFile(file, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}

	tests := []struct {
		name   string
		config string
		code   int
		wants  []string
	}{
		{"unknown_key", configured(t, "stateDri: /x\n").config, 2, []string{"phigate.yaml:6:", "stateDri", "stateDir"}},
		{"not_yaml", configured(t, "nri: [\n").config, 2, []string{"phigate.yaml:"}},
		{"relative_path", configured(t, "journal: run/x\n").config, 2, []string{"journal", "absolute", "run/x"}},
		{"missing_file", filepath.Join(t.TempDir(), "none.yaml"), 2, []string{"none.yaml", "no such file"}},
		{"state_directory_in_use", inUse(t, running.state, "").config, 1, []string{running.state, "already running"}},
		{"socket_in_use", inUse(t, "", running.socket).config, 1, []string{running.socket, "another phigated"}},
		{"socket_is_a_file", inUse(t, "", file).config, 1, []string{file, "something else than a socket"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			cmd := exec.CommandContext(ctx, filepath.Join(bin, "phigated"), "--config", tt.config)
			out, err := cmd.CombinedOutput()
			if got := cmd.ProcessState.ExitCode(); got != tt.code {
				t.Errorf("exit code %d (%v), want %d: %s", got, err, tt.code, out)
			}
			lines := strings.Split(strings.TrimSpace(string(out)), "\n")
			for _, want := range tt.wants {
				if !strings.Contains(string(out), want) {
					t.Errorf("it does not say %q: %s", want, lines[len(lines)-1])
				}
			}
		})
	}
	if data, err := os.ReadFile(file); err != nil || string(data) != "precious" {
		t.Errorf("the file in the socket's place is gone or changed (error %v)", err)
	}
}

// setup is a configuration and what it names.
type setup struct{ config, state, socket string }

func configured(t *testing.T, more string) setup { return written(t, "", "", more) }

func inUse(t *testing.T, state, socket string) setup { return written(t, state, socket, "") }

func written(t *testing.T, state, socket, more string) setup {
	t.Helper()
	dir, err := os.MkdirTemp("", "pg") // short: a socket's path has 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	s := setup{filepath.Join(dir, "phigate.yaml"), filepath.Join(dir, "state"), filepath.Join(dir, "p.sock")}
	if state != "" {
		s.state = state
	}
	if socket != "" {
		s.socket = socket
	}
	text := fmt.Sprintf("containerd: %s/c.sock\nnri: {socket: %s/nri.sock}\nstateDir: %s\nsocket: %s\npolicies: [%s]\n%s", dir, dir, s.state, s.socket, dir, more)
	if !strings.Contains(more, "journal:") {
		text += "journal: \"\"\n"
	}
	if err := os.WriteFile(s.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return s
}

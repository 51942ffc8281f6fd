package oci

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/phigate/phigate/plugin/ask/judge"
	"github.com/phigate/phigate/plugin/ask/server"
)

func TestHook(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("the configuration must be root's")
	}
	dir, err := os.MkdirTemp("", "hook-") // short: a socket's path ends at 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := os.MkdirAll(filepath.Join(dir, "b/rootfs"), 0o755); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(dir, "hook.yaml")
	for name, text := range map[string]string{
		config:                              "socket: " + dir + "/gate.sock\ndeadline: 5s\nbreakGlass: " + dir + "/glass\nspool: " + dir + "/spool\n",
		filepath.Join(dir, "b/config.json"): `{"root":{"path":"rootfs"}}`,
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	hook := func(stdin string, args ...string) (int, string) {
		var errs strings.Builder
		code := Main(append([]string{"phigate-hook"}, args...), strings.NewReader(stdin), &errs)
		return code, errs.String()
	}
	state := func(id string) string {
		text, err := json.Marshal(map[string]any{"ociVersion": "1.0.2", "id": id, "status": "creating", "pid": 1, "bundle": dir + "/b", "annotations": map[string]string{"a": "b"}})
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	if code, said := hook(state("early"), "--config", config); code != 1 || !strings.Contains(said, "phigated does not answer") {
		t.Errorf("without phigated: code %d, said %q", code, said)
	}
	ctx, cancel := context.WithCancel(context.Background())
	l, err := server.Sockets{}.Listen(dir + "/gate.sock")
	if err != nil {
		t.Fatal(err)
	}
	wait := server.ServeGate(ctx, l, func(_ context.Context, q judge.Question, _ []byte, root *os.File) judge.Answer {
		root.Close()
		if q.Door != "hook" || q.ID != "good" {
			return judge.Answer{Line: "phigate: blocked " + q.ID, Seq: 3}
		}
		return judge.Answer{Allow: true, Seq: 4}
	}, slog.New(slog.NewTextHandler(io.Discard, nil)))
	defer wait()
	defer cancel()
	tests := map[string]struct {
		stdin string
		args  []string
		code  int
		said  string
	}{
		"admitted":      {state("good"), []string{"--config", config}, 0, ""},
		"refused":       {state("bad"), []string{"--config", config}, 1, "phigate: blocked bad"},
		"no_state":      {"", []string{"--config", config}, 1, "not JSON of its kind"},
		"empty_state":   {"{}", []string{"--config", config}, 1, "names no container"},
		"huge_state":    {strings.Repeat(" ", maxState+1), []string{"--config", config}, 1, "more than"},
		"no_config":     {state("good"), []string{"--config", dir + "/none"}, 1, "no such file"},
		"unknown_words": {state("good"), []string{"createRuntime"}, 1, "it takes --config FILE"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			code, said := hook(test.stdin, test.args...)
			if code != test.code || !strings.Contains(said, test.said) || (said == "") != (test.said == "") {
				t.Errorf("code %d, said %q; want %d and %q", code, said, test.code, test.said)
			}
		})
	}
}

func FuzzReadState(f *testing.F) {
	f.Add(`{"id":"c1","bundle":"/b"}`)
	f.Fuzz(func(t *testing.T, text string) {
		if s, err := readState(strings.NewReader(text)); err == nil && (s.ID == "" || s.Bundle == "") {
			t.Error("a state that names nothing was taken")
		}
	})
}

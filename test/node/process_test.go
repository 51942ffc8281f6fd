package node

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestProcess(t *testing.T) {
	tests := map[string]struct {
		script string
		act    func(*Process) error
		failed string // part of the error of act
	}{
		"ends_by_itself": {"exit 0", func(p *Process) error { _, err := p.Wait(10 * time.Second); return err }, ""},
		"stopped":        {"trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.01; done", func(p *Process) error { return p.Stop(10 * time.Second) }, ""},
		"stopped_frozen": {"trap 'exit 0' TERM; echo up; while :; do sleep 0.01; done", func(p *Process) error {
			if err := p.Freeze(); err != nil {
				return err
			}
			return p.Stop(10 * time.Second)
		}, ""},
		"stop_reports_failure": {"trap 'exit 7' TERM; echo up; while :; do sleep 0.01; done",
			func(p *Process) error { return p.Stop(10 * time.Second) }, "exit status 7"},
		"deaf":         {"trap '' TERM; echo up; while :; do sleep 0.01; done", func(p *Process) error { return p.Stop(100 * time.Millisecond) }, "still runs"},
		"killed":       {"echo up; sleep 1000", (*Process).Kill, ""},
		"killed_twice": {"echo up; sleep 1000", func(p *Process) error { _ = p.Kill(); return p.Kill() }, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			log := filepath.Join(t.TempDir(), "log")
			p, err := Run(Command{Path: "/bin/sh", Args: []string{"-c", test.script}, Log: log})
			if err != nil {
				t.Fatal(err)
			}
			for strings.Contains(test.script, "echo up") && !contains(log, "up") {
				time.Sleep(time.Millisecond)
			}
			err = test.act(p)
			if got := err != nil; got != (test.failed != "") || got && !strings.Contains(err.Error(), test.failed) {
				t.Errorf("got error %v, want %q in it", err, test.failed)
			}
			if p.Running() {
				t.Error("the process still runs")
			}
			if name == "stopped" && !contains(log, "bye") {
				t.Error("the process was not given time for its last words")
			}
		})
	}
}

func TestProcessMissing(t *testing.T) {
	if _, err := Run(Command{Path: "/nonexistent/program", Log: filepath.Join(t.TempDir(), "log")}); err == nil {
		t.Error("a program that does not exist was started")
	}
}

func contains(path, text string) bool {
	data, err := os.ReadFile(path)
	return err == nil && strings.Contains(string(data), text)
}

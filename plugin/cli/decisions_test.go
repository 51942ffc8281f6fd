package cli

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/phigate/phigate/plugin/audit"
	"github.com/phigate/phigate/policy"
)

// loggedNode is a state folder with a log of n decisions, and the log.
func loggedNode(t *testing.T, n int) (dir string, log *audit.Log) {
	t.Helper()
	dir = t.TempDir()
	log, err := audit.Open(filepath.Join(dir, "decisions"), audit.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { log.Close() })
	decide(t, log, n)
	return dir, log
}

func decide(t *testing.T, log *audit.Log, n int) {
	t.Helper()
	for range n {
		d := &policy.Decision{Kind: "verdict", Gate: policy.GateStart, Target: "clinic/app", Verdict: policy.Allow,
			Findings: []policy.Record{}, Skipped: []policy.SkipEntry{}}
		if _, err := log.Record(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
}

func runDecisions(ctx context.Context, out io.Writer, args ...string) error {
	cmd := newDecisionsCommand()
	cmd.SilenceErrors = true
	cmd.SetOut(out)
	cmd.SetErr(io.Discard)
	cmd.SetArgs(args)
	return cmd.ExecuteContext(ctx)
}

// numbers are the first column of a list.
func numbers(list string) []string {
	var out []string
	for line := range strings.Lines(list) {
		out = append(out, strings.Fields(line)[0])
	}
	return out
}

func span(from, to int) []string {
	var out []string
	for i := from; i <= to; i++ {
		out = append(out, fmt.Sprint(i))
	}
	return out
}

func TestDecisionsLists(t *testing.T) {
	dir, _ := loggedNode(t, 25)
	configFile := filepath.Join(t.TempDir(), "phigate.yaml")
	text := "containerd: /run/containerd/containerd.sock\nstateDir: " + dir + "\npolicies: [/etc/phigate/policies.d]\n"
	if err := os.WriteFile(configFile, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		args []string
		want []string
	}{
		"newest":  {[]string{"--state-dir", dir}, span(6, 25)},
		"all":     {[]string{"--state-dir", dir, "--all"}, span(1, 25)},
		"by_file": {[]string{"--config", configFile}, span(6, 25)},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			if err := runDecisions(t.Context(), &out, tt.args...); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, numbers(out.String())); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestDecisionsShowsOne(t *testing.T) {
	dir, _ := loggedNode(t, 3)
	var text, json bytes.Buffer
	if err := runDecisions(t.Context(), &text, "2", "--state-dir", dir); err != nil {
		t.Fatal(err)
	}
	if got := text.String(); !strings.HasPrefix(got, "decision   2\n") || !strings.Contains(got, "ALLOWED  clinic/app") {
		t.Errorf("got %q", got)
	}
	if err := runDecisions(t.Context(), &json, "2", "--state-dir", dir, "--format", "json"); err != nil {
		t.Fatal(err)
	}
	log, err := os.ReadFile(filepath.Join(dir, "decisions", "00000000000000000001.log"))
	if err != nil {
		t.Fatal(err)
	}
	if got := json.String(); strings.Count(got, "\n") != 1 || !strings.HasPrefix(got, `{"seq":2,`) || !bytes.Contains(log, json.Bytes()) {
		t.Error("JSON is not the line of the log")
	}
}

func TestDecisionsFollows(t *testing.T) {
	dir, log := loggedNode(t, 2)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	out, in := io.Pipe()
	done := make(chan error, 1)
	go func() {
		done <- runDecisions(ctx, in, "--follow", "--format", "json", "--state-dir", dir)
		in.Close()
	}()
	var got strings.Builder
	readLines := func(n int) {
		buf := make([]byte, 64<<10)
		for strings.Count(got.String(), "\n") < n {
			k, err := out.Read(buf)
			if err != nil {
				t.Fatalf("following ended after %d lines: %v", strings.Count(got.String(), "\n"), err)
			}
			got.Write(buf[:k])
		}
	}
	readLines(2)
	decide(t, log, 3)
	readLines(5)
	cancel()
	if err := <-done; err != nil {
		t.Errorf("interrupted following = %v", err)
	}
	seq := 0
	for line := range strings.Lines(got.String()) {
		if seq++; !strings.HasPrefix(line, fmt.Sprintf(`{"seq":%d,`, seq)) {
			t.Errorf("line %d is another record", seq)
		}
	}
}

// damagedNode is a state folder whose log has a flipped bit.
func damagedNode(t *testing.T) string {
	t.Helper()
	damaged, log := loggedNode(t, 3)
	log.Close()
	path := filepath.Join(damaged, "decisions", "00000000000000000001.log")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)-100] ^= 1
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return damaged
}

func TestDecisionsErrorsSayWhatToDo(t *testing.T) {
	dir, _ := loggedNode(t, 3)
	damaged := damagedNode(t)
	tests := map[string]struct {
		args []string
		want string
	}{
		"no_log":         {[]string{"--state-dir", t.TempDir()}, "has phigated run on this node?"},
		"no_config":      {[]string{"--config", "/nonexistent.yaml"}, "or give --state-dir"},
		"not_there":      {[]string{"9", "--state-dir", dir}, "no decision 9"},
		"no_number":      {[]string{"nine"}, "is not the number of a decision"},
		"zero":           {[]string{"0"}, "is not the number of a decision"},
		"format":         {[]string{"--format", "xml"}, "it is text or json"},
		"one_and_follow": {[]string{"1", "--follow"}, "neither --follow nor --all"},
		"damaged":        {[]string{"--state-dir", damaged}, "restart phigated"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			err := runDecisions(t.Context(), io.Discard, tt.args...)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error = %v, want one with %q", err, tt.want)
			}
		})
	}
}

func TestDecisionsWithoutRoot(t *testing.T) {
	err := explainLog(&os.PathError{Op: "open", Path: "/x", Err: syscall.EACCES}, "/x")
	if !strings.Contains(err.Error(), "run as root") {
		t.Errorf("error = %v", err)
	}
}

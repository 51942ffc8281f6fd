package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

func TestParseRead(t *testing.T) {
	tests := map[string]struct {
		account string
		want    int64
		fails   bool
	}{
		"kernel":    {"rchar: 4096\nwchar: 7\nsyscr: 1\nread_bytes: 0\n", 4096, false},
		"not_first": {"wchar: 7\nrchar: 12\n", 12, false},
		"missing":   {"wchar: 7\n", 0, true},
		"no_number": {"rchar: x\n", 0, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got, err := parseRead(tt.account); got != tt.want || (err != nil) != tt.fails {
				t.Errorf("got %d, %v; want %d, fails %t", got, err, tt.want, tt.fails)
			}
		})
	}
}

// What a child of a child reads and computes counts, too.
func TestMeasure(t *testing.T) {
	const size = 32 << 20
	file := filepath.Join(t.TempDir(), "zeros")
	if err := os.WriteFile(file, make([]byte, size), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "sh", "-c", `printf %s "$1" | xargs sha256sum >/dev/null; exit 3`, "sh", file)
	s, code, err := measure(cmd)
	if err != nil || code != 3 {
		t.Fatalf("code %d, %v; want 3", code, err)
	}
	if s.read < size || s.read > size+size/8 {
		t.Errorf("%d bytes read, want about %d", s.read, size)
	}
	if s.cpu < 5*time.Millisecond || s.wall < 5*time.Millisecond || s.peak < 1<<20 {
		t.Errorf("too cheap: %+v", s)
	}
}

func TestMeasureKilled(t *testing.T) {
	if _, _, err := measure(exec.CommandContext(t.Context(), "sh", "-c", "kill -9 $$")); err == nil {
		t.Error("a program that was killed ran well")
	}
}

func TestRunRefusesOtherCodes(t *testing.T) {
	m := &machine{dir: t.TempDir()}
	c := &contestant{name: "it", argv: []string{"sh", "-c", "exit 3"}, fine: []int{1}, rounds: -1}
	if err := m.warm(t.Context(), c); err == nil {
		t.Error("code 3 is fine, want only 0 and 1")
	}
	if c.fine = []int{3}; m.warm(t.Context(), c) != nil {
		t.Error("code 3 is not fine")
	}
}

func TestRoundTakesTurns(t *testing.T) {
	dir := t.TempDir()
	order := filepath.Join(dir, "order")
	say := func(word string, rounds int) *contestant {
		return &contestant{name: word, argv: []string{"sh", "-c", `printf "$2" >>"$1"`, "sh", order, word}, rounds: rounds}
	}
	all := []*contestant{say("a", -1), say("b", 1), say("c", -1)}
	m := &machine{dir: dir}
	for i := range 3 {
		if err := m.round(t.Context(), all, i); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(order)
	if err != nil {
		t.Fatal(err)
	}
	if want := "abc" + "ca" + "ca"; !bytes.Equal(got, []byte(want)) {
		t.Errorf("they ran as %s, want %s", got, want)
	}
	if n := len(all[1].samples); n != 1 {
		t.Errorf("b has %d samples, want 1", n)
	}
}

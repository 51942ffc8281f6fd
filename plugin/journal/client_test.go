package journal_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/phigate/phigate/plugin/journal"
	"github.com/phigate/phigate/test/journald"
)

func newClient(t *testing.T, socket string) *journal.Client {
	t.Helper()
	c, err := journal.NewClient(socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func TestSendStoresEachFieldAsGiven(t *testing.T) {
	j := journald.Start(t)
	c := newClient(t, j.Socket)
	large := strings.Repeat("x", 600<<10) // beyond any datagram
	tests := map[string][]string{
		"plain":         {"hello"},
		"repeated":      {"one", "two", "three"},
		"newline":       {"a\nPHIGATE_FORGED=yes\nPHIGATE_FORGED\n\x03\x00\x00\x00\x00\x00\x00\x00yes\n"},
		"equals":        {"PHIGATE_FORGED=yes"},
		"unicode":       {"café ☃"},
		"large":         {large},
		"large_newline": {large + "\nPHIGATE_FORGED=yes\n" + large},
	}
	for name, values := range tests {
		t.Run(name, func(t *testing.T) {
			fields := []journal.Field{{Name: "MESSAGE", Value: "test"}, {Name: "TEST_NAME", Value: name}}
			for _, v := range values {
				fields = append(fields, journal.Field{Name: "TEST_VALUE", Value: v})
			}
			if err := c.Send(fields); err != nil {
				t.Fatal(err)
			}
			entry := j.Await(t, 1, "TEST_NAME="+name)[0]
			if _, forged := entry["PHIGATE_FORGED"]; forged {
				t.Error("a value became a field")
			}
			if diff := cmp.Diff(values, list(entry["TEST_VALUE"])); diff != "" {
				t.Errorf("the stored values differ (%d bytes of difference)", len(diff))
			}
		})
	}
}

// list is a field's values in the order sent; journalctl writes what is not
// printable as numbers.
func list(v any) []string {
	text := func(v any) string {
		numbers, ok := v.([]any)
		if !ok {
			return fmt.Sprint(v)
		}
		var b []byte
		for _, n := range numbers {
			b = append(b, byte(n.(float64)))
		}
		return string(b)
	}
	if vs, ok := v.([]any); ok && len(vs) > 0 {
		if _, number := vs[0].(float64); !number {
			var out []string
			for _, v := range vs {
				out = append(out, text(v))
			}
			return out
		}
	}
	return []string{text(v)}
}

func TestSendNeverBlocks(t *testing.T) {
	j := journald.Start(t)
	c := newClient(t, j.Socket)
	j.Pause(t)
	defer j.Continue(t)
	for range 1000 {
		if err := c.Send([]journal.Field{{Name: "MESSAGE", Value: "x"}}); err != nil {
			if !errors.Is(err, unix.EAGAIN) {
				t.Fatal(err)
			}
			return
		}
	}
	t.Error("a journald that does not read took 1,000 entries")
}

func TestSendWithoutJournald(t *testing.T) {
	c := newClient(t, filepath.Join(t.TempDir(), "s"))
	if err := c.Send([]journal.Field{{Name: "MESSAGE", Value: "x"}}); !errors.Is(err, unix.ENOENT) {
		t.Errorf("Send = %v, want ENOENT", err)
	}
}

func TestSendRefusesNames(t *testing.T) {
	c := newClient(t, filepath.Join(t.TempDir(), "s"))
	for _, name := range []string{"", "_PID", "1ST", "lower", "A=B", "A\nB", strings.Repeat("A", 65)} {
		err := c.Send([]journal.Field{{Name: name, Value: "x"}})
		if err == nil || errors.Is(err, unix.ENOENT) {
			t.Errorf("name of %d bytes was sent", len(name))
		}
	}
}

package audit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestFollowSeesWhatIsWrittenLater(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	l := newLog(t, path)
	record(t, l, 3)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	seen := make(chan uint64, 100)
	go Follow(ctx, path, 2, func(e Entry) error {
		if !strings.HasPrefix(string(e.Raw), fmt.Sprintf(`{"seq":%d,`, e.Seq)) || e.Decision.Seq != e.Seq || e.Log != l.origin {
			t.Errorf("record %d is another", e.Seq)
		}
		seen <- e.Seq
		return nil
	})
	expect := func(want uint64) {
		t.Helper()
		select {
		case got := <-seen:
			if got != want {
				t.Fatalf("followed to record %d, want %d", got, want)
			}
		case <-ctx.Done():
			t.Fatalf("record %d was not followed", want)
		}
	}
	expect(2)
	expect(3)
	record(t, l, 1)
	expect(4)
	// A damaged log is replaced under the reader's feet.
	l.Close()
	flip(t, filepath.Join(path, segmentName(1)), blockSize+100)
	l = newLog(t, path)
	expect(5)
	record(t, l, 1)
	expect(6)
}

func flip(t *testing.T, path string, at int) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data[at] ^= 1
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestFollowEndsWithItsContext(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	newLog(t, path)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := Follow(ctx, path, 0, func(Entry) error { return nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Follow = %v", err)
	}
}

func TestLastOf(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	l := newLog(t, path)
	record(t, l, 5)
	for n, want := range map[uint64]uint64{1: 5, 2: 4, 5: 1, 6: 1, 100: 1} {
		if got, err := LastOf(t.Context(), path, n); err != nil || got != want {
			t.Errorf("LastOf(%d) = %d, %v; want %d", n, got, err, want)
		}
	}
}

package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/phigate/phigate/plugin/ask/judge"
	"github.com/phigate/phigate/policy"
)

func TestSpool(t *testing.T) {
	dir := t.TempDir()
	var got []*policy.Decision
	var broken error
	s := &spool{folder: dir, policy: func() *policy.Policy { return &policy.Policy{Digest: "sha256:p", Version: "clinic 1.2.0"} }, log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		record: func(_ context.Context, d *policy.Decision) (uint64, error) {
			if broken != nil {
				return 0, broken
			}
			got = append(got, d)
			return uint64(len(got)), nil
		}}
	use, err := json.Marshal(judge.Use{Time: time.Unix(7, 0), Container: "c1", Refused: "phigate: blocked c1", BreakGlass: judge.BreakGlass{Reason: "night shift"}})
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"1-a.json": string(use), "2-b.json": "no JSON", ".new-c": "half"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	broken = errors.New("the disk is full")
	if err := s.take(t.Context()); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	broken = nil
	for range 2 { // the second time nothing new is there
		if err := s.take(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if len(got) != 2 || got[0].Kind != "override" || got[0].Policy != "sha256:p" || got[0].PolicyVersion != "clinic 1.2.0" || got[0].Container != "c1" || !strings.Contains(got[0].Message, "night shift") || !strings.Contains(got[1].Message, "cannot be read") {
		t.Errorf("recorded %d: %+v", len(got), got)
	}
	names, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(names) != 2 || !strings.HasSuffix(names[1], "2-b.json.damaged") {
		t.Errorf("left are %v", names)
	}
	if err := (&spool{folder: filepath.Join(dir, "none")}).take(t.Context()); err != nil {
		t.Errorf("without the folder: %v", err)
	}
}

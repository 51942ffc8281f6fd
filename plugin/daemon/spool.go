package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/phigate/phigate/plugin/ask/judge"
	"github.com/phigate/phigate/plugin/handover"
	"github.com/phigate/phigate/policy"
)

// spool is the folder in which doors write down which containers they let run
// while phigated could not be told.
type spool struct {
	folder string
	record func(ctx context.Context, d *policy.Decision) (uint64, error)
	policy func() *policy.Policy // in force
	log    *slog.Logger
}

const (
	spoolEvery   = time.Minute
	maxSpoolFile = 64 << 10 // bytes
)

// watch takes what is there into the log, at the start and now and then: a
// phigated that hung was not there either.
func (s *spool) watch(ctx context.Context) {
	for {
		if err := s.take(ctx); err != nil && ctx.Err() == nil {
			s.log.Error("taking up the uses of break-glass", "folder", s.folder, "error", err)
		}
		select {
		case <-time.After(spoolEvery):
		case <-ctx.Done():
			return
		}
	}
}

// take records each use and then removes its file. One that is damaged is
// recorded as such, once, and set aside.
func (s *spool) take(ctx context.Context) error {
	names, err := os.ReadDir(s.folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range names {
		if !strings.HasSuffix(e.Name(), ".json") {
			continue
		}
		if err := s.one(ctx, filepath.Join(s.folder, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

func (s *spool) one(ctx context.Context, path string) error {
	use, err := readUse(path)
	damaged := err
	if err != nil {
		use = judge.Use{Refused: fmt.Sprintf("%s cannot be read: %v", filepath.Base(path), err)}
	}
	subject := &policy.Subject{ID: use.Container, Name: use.Container, Gate: policy.GateWrapper}
	d := handover.Override(s.policy(), subject, use.BreakGlass, use.Refused)
	d.Message = policy.Printable("at " + use.Time.Format(time.RFC3339) + ", phigated could not be told: " + d.Message)
	if _, err := s.record(ctx, d); err != nil {
		return err
	}
	if damaged != nil {
		return os.Rename(path, path+".damaged")
	}
	return os.Remove(path)
}

func readUse(path string) (use judge.Use, err error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return use, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxSpoolFile))
	if err == nil && json.Unmarshal(data, &use) != nil {
		err = errors.New("it is not what a door writes")
	}
	return use, err
}

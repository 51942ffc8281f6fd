package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"time"

	"github.com/phigate/phigate/policy"
)

// Kinds of record about exceptions.
const (
	kindEnding = "exception-ending" // ends within 14 days
	kindEnded  = "exception-ended"
)

// endingSoon is how long before its end an exception is told of.
const endingSoon = 14 * 24 * time.Hour

// looking is how often ends are looked at.
const looking = time.Minute

// endings records that an exception ends soon, and that it has ended: each once,
// whatever is loaded and restarted in between. What was said is kept in a file;
// where that is lost, it is said again.
type endings struct {
	path   string
	policy func() *policy.Policy
	last   func() time.Time // of the newest record
	note   func(kind, message string)
	log    *slog.Logger
}

// watch looks at the ends until ctx does.
func (e *endings) watch(ctx context.Context) {
	ticker := time.NewTicker(looking)
	defer ticker.Stop()
	for {
		now := time.Now()
		if last := e.last(); last.After(now) {
			now = last
		}
		if err := e.look(now); err != nil {
			e.log.Error("keeping which ends of exceptions were told", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// look says at a moment what has not been said yet. An exception that is given
// another end is another one. What was said of exceptions that are gone is
// forgotten a while after their end, so that the file does not grow.
func (e *endings) look(now time.Time) error {
	said, err := e.read()
	if err != nil {
		e.log.Warn("reading which ends of exceptions were told; they are told again", "error", err)
	}
	changed := false
	for _, x := range e.policy().Exceptions.All() {
		kind, message := ending(x, now)
		key := kind + " " + x.ID + " " + x.ExpiresAt.UTC().Format(time.RFC3339)
		if _, done := said[key]; kind == "" || done {
			continue
		}
		e.note(kind, policy.Printable(message))
		said[key], changed = x.ExpiresAt, true
	}
	for key, end := range said {
		if now.Sub(end) > 366*24*time.Hour {
			delete(said, key)
			changed = true
		}
	}
	if !changed {
		return nil
	}
	data, err := json.Marshal(said)
	if err != nil {
		return err
	}
	return writeFile(e.path, data)
}

// ending is what there is to say of an exception at a moment; no kind: nothing.
func ending(x *policy.Exception, now time.Time) (kind, message string) {
	end := x.ExpiresAt.UTC().Format(time.RFC3339)
	switch left := x.ExpiresAt.Sub(now); {
	case left > endingSoon:
		return "", ""
	case left > 0:
		return kindEnding, fmt.Sprintf("exception %s ends at %s: mend what it excepts, or have it approved again", x.ID, end)
	case left < -endingSoon:
		return "", "" // long ago, before this policy was here
	default:
		return kindEnded, fmt.Sprintf("exception %s ended at %s: what it excepted is judged as any other", x.ID, end)
	}
}

// maxSaid bounds the file, in bytes.
const maxSaid = 8 << 20

func (e *endings) read() (map[string]time.Time, error) {
	said := map[string]time.Time{}
	info, err := os.Stat(e.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return said, nil
	case err != nil:
		return said, err
	case info.Size() > maxSaid:
		return said, fmt.Errorf("%s has more than %d bytes", e.path, maxSaid)
	}
	data, err := os.ReadFile(e.path)
	if err != nil {
		return said, err
	}
	if err := json.Unmarshal(data, &said); err != nil {
		return map[string]time.Time{}, fmt.Errorf("reading %s: %w", e.path, err)
	}
	return said, nil
}

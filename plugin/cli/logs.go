package cli

import (
	"context"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/phigate/phigate/plugin/audit"
	"github.com/phigate/phigate/plugin/conf"
	"github.com/phigate/phigate/plugin/report"
)

// logIn is the decision log in a folder: a state folder, a copy of one, or the
// log's own folder.
func logIn(dir string) string {
	path := conf.Config{StateDir: dir}.Log()
	if _, err := os.Stat(path); err != nil {
		if logs, _ := filepath.Glob(filepath.Join(dir, "*.log")); len(logs) > 0 {
			return dir
		}
	}
	return path
}

// eachEntry calls fn with each record from number from on of the log in the
// folder at path.
func eachEntry(ctx context.Context, path string, from uint64, fn func(report.Entry) error) error {
	return audit.Entries(ctx, path, from, func(e audit.Entry) error {
		return fn(report.Entry{LogID: e.Log, Seq: e.Seq, Leaf: hex.EncodeToString(e.Leaf[:]), Decision: e.Decision})
	})
}

// stretch is a stretch of time as people give it: days, or moments.
type stretch struct{ from, to string }

// times are its bounds, the second excluded; a zero one is open. A day
// given as the end belongs to it.
func (s stretch) times() (from, to time.Time, err error) {
	if from, _, err = moment("--from", s.from); err != nil {
		return from, to, err
	}
	to, isDay, err := moment("--to", s.to)
	if isDay {
		to = to.AddDate(0, 0, 1)
	}
	if err == nil && !from.IsZero() && !to.IsZero() && !from.Before(to) {
		err = usage("--from %s lies behind --to %s", s.from, s.to)
	}
	return from, to, err
}

func moment(flag, text string) (t time.Time, isDay bool, err error) {
	if text == "" {
		return t, false, nil
	}
	if t, err = time.Parse(time.DateOnly, text); err == nil {
		return t, true, nil
	}
	if t, err = time.Parse(time.RFC3339, text); err == nil {
		return t, false, nil
	}
	return t, false, usage("%s %q: it is a day (2026-11-30, in UTC) or a moment (2026-11-30T08:00:00Z)", flag, text)
}

// holds says whether a moment lies between the bounds.
func holds(from, to, t time.Time) bool {
	return (from.IsZero() || !t.Before(from)) && (to.IsZero() || t.Before(to))
}

// oneOf names the values of a flag in words: "text or json".
func oneOf(words []string) string {
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

// stateOf is phigated's state folder: as given, else as configured.
func stateOf(given, config string, isExplicit bool) (string, error) {
	d := decisions{stateDir: given, config: config, isExplicit: isExplicit}
	return d.state()
}

// tampered says whether an error means that a log is damaged.
func tampered(err error) bool {
	var damage *audit.DamageError
	return errors.As(err, &damage)
}

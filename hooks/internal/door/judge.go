package door

import (
	"errors"
	"fmt"
	"time"

	"github.com/phigate/phigate/hooks/internal/bundle"
	"github.com/phigate/phigate/plugin/ask/judge"
)

// Asked is the container that phigated is asked about.
type Asked struct {
	Door    string // "wrapper" or "hook"
	Command string // of the runtime
	ID      string
	Bundle  string // its folder
}

// Judge returns nil when the container may run, and else why it may not.
func Judge(c Config, about Asked, say Messages) error {
	b, err := bundle.Open(about.Bundle)
	if err != nil {
		return fmt.Errorf("phigate: refused %s: %w", about.ID, err)
	}
	defer b.Close()
	glass, err := readBreakGlass(c.BreakGlass, time.Now())
	if err != nil {
		say.Warn(fmt.Sprintf("phigate: break-glass is not in force: %v", err))
	}
	answer, err := judge.Ask(c.Socket, judge.Question{
		Door: about.Door, Command: about.Command, ID: about.ID, Bundle: b.Dir, Root: b.Path, Mount: b.Mount,
		Within: c.Deadline, BreakGlass: glass,
	}, b.Config, b.Root)
	if err == nil && answer.Allow {
		return nil
	}
	why := answer.Line
	if err != nil {
		why = fmt.Sprintf("phigate: refused %s: no verdict: %v", about.ID, err)
	}
	use := judge.Use{Time: time.Now().UTC(), Container: about.ID, Bundle: b.Dir, Refused: why}
	switch {
	case glass != nil:
		use.BreakGlass = *glass
		return admit(use, c, say, answer.Noted)
	case err != nil:
		if allow, key := c.Unavailable.admits(b, about.ID); allow {
			use.BreakGlass = judge.BreakGlass{Reason: key + ": allow"}
			return admit(use, c, say, false)
		}
	}
	return errors.New(why)
}

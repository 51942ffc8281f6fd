package door

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
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
		Login: login(), Within: c.Deadline, BreakGlass: glass,
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

// login is the login user ID that this process has inherited; nil where it has
// none, or the kernel keeps none.
func login() *uint32 {
	data, err := os.ReadFile("/proc/self/loginuid")
	if err != nil {
		return nil
	}
	return parseLogin(string(data))
}

// unset is the login user ID of a process that no login has begun.
const unset = 1<<32 - 1

func parseLogin(text string) *uint32 {
	n, err := strconv.ParseUint(strings.TrimSpace(text), 10, 32)
	if err != nil || n == unset {
		return nil
	}
	id := uint32(n)
	return &id
}

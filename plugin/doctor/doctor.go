// Package doctor looks over a node and says what keeps phigate from holding
// there, with the next step for each. Gathering facts (Look) is apart from
// judging them (Examine), so that each judgement can be shown on a tree that is
// no node.
package doctor

import (
	"fmt"
	"time"

	"github.com/phigate/phigate/plugin/ask"
	"github.com/phigate/phigate/plugin/conf"
	"github.com/phigate/phigate/plugin/install"
)

// State is how a check came out.
type State string

// The states. A problem keeps phigate from doing here what it was installed for. Advice is what
// phigate could hold besides, such as ctr's containers on a node whose pods it guards: it is no problem, and
// neither is what could not be looked at.
const (
	OK      State = "ok"
	Unknown State = "unknown"
	Advice  State = "advice"
	Problem State = "problem"
)

// Check is one thing that was looked at.
type Check struct {
	Name  string `json:"name"`
	State State  `json:"state"`
	Says  string `json:"says"`
	Next  string `json:"next,omitempty"` // what to do about it
}

// Facts are what is known of a node. What was not asked has the zero value.
type Facts struct {
	Tree   *install.Tree
	Live   bool // the tree is the running machine's, and was asked
	Now    time.Time
	Config conf.Config

	ConfigErr error
	Disk      *install.Containerd
	DiskErr   error

	Version      string // containerd's
	Snapshotters []string
	RuntimeErr   error
	Stale        bool              // containerd began before its configuration was last written
	Paths        map[string]string // PATH of the running processes, by unit

	Status    *ask.Status
	StatusErr error

	Gates      int           // decisions at a gate that were measured
	P99        time.Duration // of these
	LastLogged time.Time
	LogErr     error

	Space *Space
}

// Space is what the filesystem of the state folder has left.
type Space struct {
	Free, Size   uint64 // bytes
	Files, Total uint64 // inodes
}

// Examine judges the facts. The order is that in which a person would ask.
func Examine(f *Facts) []Check {
	var out []Check
	for _, check := range []func(*Facts) []Check{
		configuration, runtimes, required, failOpen, wrapped, wrapperConfig, bootOrder, verifier, timeouts, snapshotters, policies, journald, evidence, clock, space, permissions,
	} {
		out = append(out, check(f)...)
	}
	return out
}

// Healthy says whether no check found a problem.
func Healthy(checks []Check) bool {
	for _, c := range checks {
		if c.State == Problem {
			return false
		}
	}
	return true
}

func ok(name, format string, args ...any) Check {
	return Check{Name: name, State: OK, Says: fmt.Sprintf(format, args...)}
}

func unknown(name, next, format string, args ...any) Check {
	return Check{Name: name, State: Unknown, Says: fmt.Sprintf(format, args...), Next: next}
}

func advice(name, next, format string, args ...any) Check {
	return Check{Name: name, State: Advice, Says: fmt.Sprintf(format, args...), Next: next}
}

// adviceOr is a problem where it is one, and else advice.
func adviceOr(isProblem bool, name, next, format string, args ...any) Check {
	if isProblem {
		return problem(name, next, format, args...)
	}
	return advice(name, next, format, args...)
}

func problem(name, next, format string, args ...any) Check {
	return Check{Name: name, State: Problem, Says: fmt.Sprintf(format, args...), Next: next}
}

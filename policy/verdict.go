package policy

import (
	"fmt"
	"strings"
	"time"
)

// Action is what happens on a violation. The zero value is the strictest.
type Action uint8

const (
	Block Action = iota
	Warn
	Audit
	Allow // of a verdict alone
)

var actionNames = [...]string{"block", "warn", "audit", "allow"}

func (a Action) String() string { return nameOf(actionNames[:], int(a)) }

// MarshalText and UnmarshalText make actions words in every format.
func (a Action) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

func (a *Action) UnmarshalText(text []byte) error {
	i, err := indexOf(actionNames[:], string(text))
	*a = Action(i)
	return err
}

// Stricter returns the stricter of two actions.
func Stricter(a, b Action) Action { return min(a, b) }

// Mode says whether a policy enforces. The zero value does.
type Mode uint8

const (
	Enforce   Mode = iota
	AuditOnly      // every action is capped at audit
)

var modeNames = [...]string{"enforce", "audit"}

func (m Mode) String() string { return nameOf(modeNames[:], int(m)) }

func (m Mode) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

func (m *Mode) UnmarshalText(text []byte) error {
	i, err := indexOf(modeNames[:], string(text))
	*m = Mode(i)
	return err
}

// Severity ranks findings for people. The zero value is the gravest.
type Severity uint8

const (
	Critical Severity = iota
	High
	Medium
	Low
	Informational
)

var severityNames = [...]string{"critical", "high", "medium", "low", "info"}

func (s Severity) String() string { return nameOf(severityNames[:], int(s)) }

func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

func (s *Severity) UnmarshalText(text []byte) error {
	i, err := indexOf(severityNames[:], string(text))
	*s = Severity(i)
	return err
}

func nameOf(names []string, i int) string {
	if i < 0 || i >= len(names) {
		return fmt.Sprintf("invalid(%d)", i)
	}
	return names[i]
}

func indexOf(names []string, text string) (int, error) {
	for i, name := range names {
		if name == text {
			return i, nil
		}
	}
	return 0, fmt.Errorf("%q is none of %s", text, strings.Join(names, ", "))
}

// Report is all that the inspectors found out about a subject.
type Report struct {
	Findings []Finding
	Skipped  []Skipped
	Deferred []Deferred
	Coverage Coverage
	// Individuals estimates the distinct people over all findings.
	Individuals Individuals
	// Software says with what the image's software was compared; zero: none was met.
	Software SoftwareFacts
	// Host is what an inspector asked of the node, for what is decided upon it: each
	// inspector has a copy of the subject. Nil: nothing was asked.
	Host *Host
	// Now is max(wall clock, time of the last record), so that a clock that is
	// set back revives nothing that has ended.
	Now time.Time
}

// Add appends what another inspector found.
func (r *Report) Add(o Report) {
	r.Findings = append(r.Findings, o.Findings...)
	r.Skipped = append(r.Skipped, o.Skipped...)
	r.Deferred = append(r.Deferred, o.Deferred...)
	r.Coverage = r.Coverage.Add(o.Coverage)
	if o.Host != nil {
		r.Host = o.Host
	}
	if o.Software != (SoftwareFacts{}) {
		r.Software = o.Software
	}
	r.Individuals.Low += o.Individuals.Low
	r.Individuals.Point += o.Individuals.Point
	r.Individuals.High += o.Individuals.High
}

// SoftwareFacts are the dates of what software was compared with, as
// "2026-08-22": of the built-in table, and of the newest of the advisories that
// the operator supplied ("undated" where none says; empty: there were none).
type SoftwareFacts struct {
	Table      string `json:"table"`
	Advisories string `json:"advisories,omitempty"`
}

// Verdict is the answer about a subject. The zero value blocks.
type Verdict struct {
	Action      Action // Block or Allow
	Mode        Mode   // the mode in force for the subject
	Findings    []Judged
	Skipped     []JudgedSkip
	Deferred    []Deferred
	Coverage    Coverage
	Individuals Individuals
	Software    SoftwareFacts
	Policy      string // digest of the policy
	// PolicyVersion names the policy's documents and their versions.
	PolicyVersion string
	Notes         []string       // why an action was softened: platform namespace, roll-out
	Exceptions    []ExceptionUse // those without which an action would be stricter, by ID
}

// Judged is a finding with the action that the policy gives it.
type Judged struct {
	Finding
	Info   Info
	Action Action
	// OwnRule is true for a rule that the operator wrote.
	OwnRule bool
	// Exceptions are the IDs of those without which the action would be stricter.
	Exceptions []string
	// Reasons are whose words the action is made of; of [Explain] alone.
	Reasons []Reason
}

// JudgedSkip is something that could not be looked at, with the action that
// the policy gives it.
type JudgedSkip struct {
	Skipped
	Action  Action
	Reasons []Reason // of [Explain] alone
}

// Package period sums the decision logs of one node or many over a time, and
// writes what came of it as a page for a compliance officer, as JSON and as CSV.
//
// It reads each record once, in any order of the logs, and keeps counts and a
// bounded number of examples, so that its memory does not grow with the logs:
// what it has no room to name, it counts. Every total equals the sum of its
// parts, those without a name included.
package period

import (
	"time"

	"github.com/phigate/phigate/policy"
)

// Report is what happened in a period. Its JSON is stable: fields may be added,
// never renamed.
type Report struct {
	Made    time.Time `json:"made"`    // when this report was made
	Version string    `json:"version"` // of the program that made it
	// From and To are the period that was asked for, To excluded; a zero one is open.
	From  time.Time `json:"from,omitzero"`
	To    time.Time `json:"to,omitzero"`
	First time.Time `json:"first,omitzero"` // of the first record in it
	Last  time.Time `json:"last,omitzero"`
	Logs  []Log     `json:"logs"`

	Totals     Totals      `json:"totals"`
	Unit       string      `json:"unit"` // of the timeline: "hour", "day", "week", "month" or "year"
	Timeline   []Bucket    `json:"timeline"`
	People     People      `json:"people"`
	Violations []Violation `json:"violations"`
	// Unlisted are the findings of the violations beyond the list's room.
	Unlisted   int         `json:"unlistedFindings"`
	Safeguards []Safeguard `json:"safeguards"`
	Exceptions []Exception `json:"exceptions"`
	Incidents  []Incident  `json:"incidents"`
	// UnlistedIncidents are those beyond the list's room.
	UnlistedIncidents int             `json:"unlistedIncidents"`
	Coverage          Coverage        `json:"coverage"`
	Policies          []PolicyVersion `json:"policies"`
}

// Log is one decision log and what is known of its integrity.
type Log struct {
	Name    string    `json:"name"`           // its ID, or its path where it has none
	Node    string    `json:"node,omitempty"` // its host name, as its records have it
	Records int       `json:"records"`
	From    uint64    `json:"from"` // sequence numbers in the period
	To      uint64    `json:"to"`
	First   time.Time `json:"first,omitzero"`
	Last    time.Time `json:"last,omitzero"`
	Proof   Proof     `json:"proof"`

	said    time.Time // of the record before
	stopped bool      // it says that phigate stops
	beats   bool      // it has signs of life
}

// Proof is what a verification of the whole log came to.
type Proof struct {
	Verified   bool     `json:"verified"`
	UpTo       uint64   `json:"upTo"`              // the last sequence number that it covers
	Checked    string   `json:"checked"`           // against what, for people
	Root       string   `json:"root,omitempty"`    // RFC 6962 tree hash
	Checkpoint string   `json:"checkpoint"`        // the newest that covers it, for people; empty for none
	Witnesses  []string `json:"witnesses"`         // that have signed it
	Problem    string   `json:"problem,omitempty"` // why it is not verified
}

// Totals count records. Blocked, Warned, Audited and Clean add up to Judged;
// Judged and the rest add up to Records.
type Totals struct {
	Records   int `json:"records"`
	Judged    int `json:"judged"`    // decisions with a verdict
	Blocked   int `json:"blocked"`   // refused
	Warned    int `json:"warned"`    // admitted, with a warning
	Audited   int `json:"audited"`   // admitted, with findings that are only recorded
	Clean     int `json:"clean"`     // admitted, without a finding
	Unjudged  int `json:"unjudged"`  // refused without a verdict
	Withdrawn int `json:"withdrawn"` // refused after all, as the record came too late
	Counts    int `json:"counts"`    // records that count how often a refusal came again
	Overrides int `json:"overrides"` // ran although refused: break-glass
	Bypasses  int `json:"bypasses"`  // ran without being asked about
	Own       int `json:"own"`       // about phigate itself: starts, policies, the log
	Beats     int `json:"beats"`     // signs of life, and nothing else
	// Excepted are the verdicts in which an exception was used; they are among the above.
	Excepted   int  `json:"excepted"`
	Containers int  `json:"containers"`                  // distinct ones with a verdict
	AtLeast    bool `json:"containersAtLeast,omitempty"` // there were more than could be told apart
	Findings   int  `json:"findings"`
	// Again is how often refusals came again in retry loops, by the records that count them.
	Again int `json:"again"`
}

// Bucket is one bar of the timeline.
type Bucket struct {
	Start    time.Time `json:"start"`
	Blocked  int       `json:"blocked"`
	Warned   int       `json:"warned"` // audited ones included
	Clean    int       `json:"clean"`
	Unjudged int       `json:"unjudged"`
	Audited  int       `json:"audited"`  // of Warned, those whose findings are only recorded
	Excepted int       `json:"excepted"` // of all, those that used an exception
}

// Sum is the bar's height.
func (b Bucket) Sum() int { return b.Blocked + b.Warned + b.Clean + b.Unjudged }

// Evidence is a record in a log.
type Evidence struct {
	Log string `json:"log"`
	Seq uint64 `json:"seq"`
}

// Violation is one rule in one image, with one action.
type Violation struct {
	Rule        string             `json:"rule"`
	Title       string             `json:"title"`
	Severity    policy.Severity    `json:"severity"`
	Action      policy.Action      `json:"action"`
	Citations   []string           `json:"citations"`
	Fix         string             `json:"fix"`
	Image       string             `json:"image"`
	ImageDigest string             `json:"imageDigest"`
	Targets     []string           `json:"targets"`
	Places      []string           `json:"places"` // the first ones
	Findings    int                `json:"findings"`
	Decisions   int                `json:"decisions"`
	First       time.Time          `json:"first"`
	Last        time.Time          `json:"last"`
	Individuals policy.Individuals `json:"individuals"` // of the one decision with the most
	Synthetic   bool               `json:"synthetic"`
	Exceptions  []string           `json:"exceptions"`
	Evidence    []Evidence         `json:"evidence"` // the first records
}

// Safeguard is one paragraph of 45 CFR part 164.
type Safeguard struct {
	Citation  string     `json:"citation"`
	Title     string     `json:"title"`
	Kind      string     `json:"kind"`  // "standard", "required" or "addressable"
	Rules     []string   `json:"rules"` // that support it and were in the catalogue
	Findings  int        `json:"findings"`
	Decisions int        `json:"decisions"`
	Blocked   int        `json:"blocked"` // decisions, of these, that refused
	Evidence  []Evidence `json:"evidence"`
}

// Exception is one exception that was used.
type Exception struct {
	Name        string     `json:"name"`
	Reason      string     `json:"reason"`
	Ticket      string     `json:"ticket,omitempty"`
	RequestedBy string     `json:"requestedBy"`
	ApprovedBy  []string   `json:"approvedBy"`
	Expires     time.Time  `json:"expires,omitzero"`
	Rules       []string   `json:"rules"`
	Decisions   int        `json:"decisions"`
	First       time.Time  `json:"first"`
	Last        time.Time  `json:"last"`
	Evidence    []Evidence `json:"evidence"`
}

// Incident is a record that somebody should have looked at: a container that ran
// unadmitted, a log that was damaged, a policy that was rejected. One of kind
// "silence" stands before a record that came late after the one before it,
// although phigate had not said that it stops.
type Incident struct {
	Time     time.Time `json:"time"`
	Kind     string    `json:"kind"`
	Target   string    `json:"target"`
	Message  string    `json:"message"`
	Evidence Evidence  `json:"evidence"`
}

// Coverage is what was looked at, summed over the decisions, and what was not.
type Coverage struct {
	Decisions int       `json:"decisions"` // with a verdict
	Whole     int       `json:"whole"`     // of these, the ones that left nothing out
	Files     int64     `json:"files"`     // a file counts in each decision
	Bytes     int64     `json:"bytes"`
	Skipped   int       `json:"skipped"`
	Reasons   []NotSeen `json:"reasons"`
	Unlisted  int       `json:"unlistedSkipped"` // beyond the list's room
}

// NotSeen is one reason for which things were not looked at.
type NotSeen struct {
	Rule     string     `json:"rule"`
	Reason   string     `json:"reason"`
	Times    int        `json:"times"`
	Blocked  int        `json:"blocked"` // of these, refused for it
	Places   []string   `json:"places"`  // the first ones
	Evidence []Evidence `json:"evidence"`
}

// PolicyVersion is one policy and how long it was in force.
type PolicyVersion struct {
	Digest    string    `json:"digest"`
	Version   string    `json:"version,omitempty"` // its documents and their versions
	Says      string    `json:"says"`              // what was recorded when it was loaded
	Decisions int       `json:"decisions"`
	First     time.Time `json:"first"`
	Last      time.Time `json:"last"`
}

package detect

import (
	"encoding/binary"
	"encoding/hex"
	"time"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/detect/people"
)

// The rules under which findings are reported that are not PHI, whichever
// detector made them.
const (
	RulePII     = "pii"
	RuleLimited = "limited"
	// RuleIndividuals is reported of a whole root filesystem, by whoever counts
	// people over its files.
	RuleIndividuals = "phi-individuals-threshold"
)

// ManyIndividuals is the number of people from which on a breach must be told
// to the Secretary at once (45 CFR 164.408(b)) and, beyond it in one state, to
// the media (164.406).
const ManyIndividuals = 500

// Sink takes what one detector finds in one file or table. It scores records
// and counts people; the key that turns identifiers into fingerprints stays
// with the caller. Of each level the lowest place is kept, the others are counted.
type Sink struct {
	detector *Detector
	keyed    func(identity []byte) [16]byte
	at       func(off int64) int64 // offset in what the detector reads -> offset in the file
	decoded  func(from, to int64) bool
	levels   [PHI + 1]tally
	skipped  []policy.Skipped
	packages []Package
	known    map[Package]struct{} // those of packages
	reasons  map[string]struct{}
	crashed  bool
	used     bool
	vain     int   // matches since the last that something came of
	covered  int64 // what lies before was dealt with
}

// maxVain is how many matches in a row may come to nothing in one file: beyond
// them the file is made to keep the detector busy.
const maxVain = 100_000

// tally is what was found on one level.
type tally struct {
	count       int
	synthetic   int
	off         int64
	message     string // of what was found; empty: the detector's title
	fingerprint string
	from        time.Time
	people      people.Set
}

// maxReasons bounds the different things that are said to be skipped in one file.
const maxReasons = 16

// Record takes a record and reports it by its level.
func (s *Sink) Record(r Record) {
	level := r.Level()
	if level == Nothing {
		return
	}
	t := s.count(level, r.Off)
	if r.Synthetic {
		t.synthetic++
	}
	if level == Limited {
		return // by its nature about nobody who can be told apart
	}
	var room [maxKeys]people.Key
	keys := room[:0]
	for _, k := range r.Keys {
		if !k.Empty() && len(keys) < maxKeys {
			keys = append(keys, s.hide(k))
		}
	}
	t.people.Add(keys...)
}

// maxKeys bounds the keys of one record that are made; fewer are kept.
const maxKeys = 8

// Cover says that matches before an offset belong to the record that was given,
// so that Near need not be asked about each.
func (s *Sink) Cover(end int64) { s.used, s.covered = true, max(s.covered, end) }

// Covered is the largest offset that Cover was told.
func (s *Sink) Covered() int64 { return s.covered }

// Decoded says whether what stands from one offset to another lies within a
// string of JSON, or in escaped XML, that is decoded and looked at as a file of
// its own: what it is about is found there, and here would be found again.
func (s *Sink) Decoded(from, to int64) bool { return s.decoded(from, to) }

// hide turns a key into what may be kept of it.
func (s *Sink) hide(k Key) people.Key {
	sum := s.keyed(append([]byte{byte(k.kind)}, k.value...))
	hidden := people.Key{Kind: k.kind, Sum: binary.BigEndian.Uint64(sum[:])}
	if len(k.scope) > 0 {
		scope := s.keyed(append([]byte{byte(k.kind), 0}, k.scope...))
		hidden.Scope = max(1, binary.BigEndian.Uint32(scope[:]))
	}
	return hidden
}

// Found reports something that is about no record of a person: a secret, a file
// of a kind.
func (s *Sink) Found(off int64) { s.count(PHI, off) }

// FoundAs is Found for detectors of many kinds: message says what it is in place
// of the detector's title. That of the first in a file is kept.
func (s *Sink) FoundAs(message string, off int64) {
	if t := s.count(PHI, off); t.message == "" {
		t.message = message
	}
}

// FoundFrom is FoundAs for what is a violation from a moment on. That of the
// first in a file is kept.
func (s *Sink) FoundFrom(message string, off int64, from time.Time) {
	s.FoundAs(message, off)
	if t := &s.levels[PHI]; t.count == 1 {
		t.from = from
	}
}

func (s *Sink) count(level Level, off int64) *tally {
	s.used, s.vain = true, 0
	t := &s.levels[level]
	if at := s.at(max(off, 0)); t.count == 0 || at < t.off {
		t.off = at
	}
	t.count++
	return t
}

// Fingerprint marks what was found with a keyed HMAC of what was matched, so
// that the same secret in two places can be recognised; the first of a file is
// kept.
func (s *Sink) Fingerprint(matched []byte) {
	if t := &s.levels[PHI]; t.count > 0 && t.fingerprint == "" {
		sum := s.keyed(matched)
		t.fingerprint = hex.EncodeToString(sum[:])
	}
}

// Skip reports something in the file that could not be understood; a reason is
// reported once.
func (s *Sink) Skip(reason string) {
	s.used = true
	if _, known := s.reasons[reason]; known || len(s.reasons) >= maxReasons {
		return
	}
	if s.reasons == nil {
		s.reasons = map[string]struct{}{}
	}
	s.reasons[reason] = struct{}{}
	s.skipped = append(s.skipped, policy.Skipped{Rule: s.detector.ID, Reason: reason, Kind: policy.Unscannable})
}

// Result is what was found in one file or table, without its path.
type Result struct {
	Findings []policy.Finding
	Skipped  []policy.Skipped
	// People are those that records of PHI are about; nil: nobody.
	People *people.Set
	// Packages is the software that the file names.
	Packages []Package
}

// add files what the sink took.
func (r *Result) add(s *Sink) {
	for level := PHI; level > Nothing; level-- {
		t := &s.levels[level]
		if t.count == 0 {
			continue
		}
		estimate := t.people.Estimate()
		f := policy.Finding{
			Rule:        s.detector.ID,
			Message:     s.detector.Title,
			Count:       t.count,
			Where:       policy.Where{Offset: t.off},
			Individuals: policy.Individuals{Low: estimate.Low, Point: estimate.Point, High: estimate.High},
			Synthetic:   t.synthetic == t.count,
			Fingerprint: t.fingerprint,
			From:        t.from,
		}
		switch many := s.detector.ManyFrom; {
		case level != PHI:
			f.Rule, f.Message = levelRules[level], levelMessages[level]
		case many > 0 && estimate.Point >= many:
			f.Rule, f.Message = s.detector.Many.ID, s.detector.Many.Title
		case t.message != "":
			f.Message = t.message
		}
		r.Findings = append(r.Findings, f)
		if level == PHI && estimate.High > 0 {
			if r.People == nil {
				r.People = &people.Set{}
			}
			r.People.Merge(&t.people)
		}
		t.people = people.Set{} // it can have 12 MiB
	}
	r.Skipped = append(r.Skipped, s.skipped...)
	r.Packages = append(r.Packages, s.packages...)
	if s.crashed {
		r.Skipped = append(r.Skipped, policy.Skipped{Rule: s.detector.ID, Reason: "detector crashed", Kind: policy.Undecided})
	}
}

// levelRules and levelMessages say what was found where it is not what the
// detector is for.
var (
	levelRules    = [...]string{Limited: RuleLimited, PII: RulePII}
	levelMessages = [...]string{Limited: "coded health records of individuals", PII: "personal data without health context"}
)

// reset makes the sink ready for the next file.
func (s *Sink) reset() {
	if s.used || s.crashed || s.vain > 0 {
		*s = Sink{detector: s.detector, keyed: s.keyed, at: s.at, decoded: s.decoded}
	}
}

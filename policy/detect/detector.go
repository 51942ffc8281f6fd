// Package detect finds protected health information, personal data and secrets
// in the bytes of one file. It knows no file system: the caller walks, opens
// and reads, and hands each file over window by window. Detectors use the
// standard library alone.
//
// A [Detector] is a value with its documentation inside; its Open is asked for
// every regular file and answers with a [Reader] when the file is of interest.
package detect

import (
	"bytes"

	"github.com/phigate/phigate/policy"
)

// Version names this set of detectors. Facts that were gathered by another
// version are gathered again; raise it with every change of what is found.
const Version = "1"

// Detector is a check on one file's name or bytes.
type Detector struct {
	policy.Info
	// Open says from what is known before reading whether the file is of
	// interest, and returns the state that will read it; nil: not of interest.
	Open func(m Meta, s *Sink) Reader
}

// Meta is what is known of a file before it is read.
type Meta struct {
	Path string // absolute within the root; raw bytes
	Size int64  // bytes
	Head []byte // its first bytes, at most HeadBytes; valid during the call only
}

// HeadBytes is how much of a file's beginning detectors can ask for in Open.
const HeadBytes = 4096

// Reader reads one file, window by window, in order. It must hold no more than
// a fixed amount of memory however long the file or a line of it is.
type Reader interface {
	// Window takes the next bytes. Data is valid during the call only. A gap
	// between windows (Off greater than the end of the last) is a hole of a
	// sparse file: zero bytes.
	Window(w Window)
	// Close is called once, after the last window.
	Close()
}

// Window is a piece of a file.
type Window struct {
	Off  int64 // offset of Data[0] in the file
	Data []byte
}

// Sink takes what a detector finds in one file. Detectors never hold the key
// that makes fingerprints: they emit into a Sink.
type Sink struct {
	keyed    func(identity []byte) [16]byte
	found    *policy.Finding
	people   map[[16]byte]struct{}
	records  int
	overflow int
	skipped  []policy.Skipped
}

// maxPeople bounds the distinct people that are told apart in one file; beyond
// it each further record counts as a person.
const maxPeople = 100_000

// NewSink makes a sink for one detector and one file; keyed is an HMAC whose
// key the caller keeps.
func NewSink(keyed func(identity []byte) [16]byte) *Sink { return &Sink{keyed: keyed} }

// Found reports a violation: what it is, without any matched value, and where
// it begins. Only the first of a file is kept; the others are counted.
func (s *Sink) Found(message string, offset int64) {
	if s.found == nil {
		s.found = &policy.Finding{Message: message, Where: policy.Where{Offset: offset}}
	}
	s.found.Count++
}

// Person counts the person that identity (an MRN with its assigner, an SSN, a
// name with a date of birth; normalised) belongs to, once per file.
func (s *Sink) Person(identity []byte) {
	s.records++
	if len(s.people) >= maxPeople {
		s.overflow++
		return
	}
	if s.people == nil {
		s.people = make(map[[16]byte]struct{})
	}
	s.people[s.keyed(identity)] = struct{}{}
}

// Identity makes what Person takes of the parts that identify somebody; label
// says of what kind they are: "mrn", "ssn". All detectors make it here, so that
// one person is the same in each of their formats.
func Identity(label string, parts ...[]byte) []byte {
	key := []byte(label)
	for _, part := range parts {
		key = append(key, 0)
		key = append(key, bytes.ToUpper(part)...)
	}
	return key
}

// Fingerprint marks the finding with a keyed HMAC of what was matched, so that
// the same secret in two places can be recognised.
func (s *Sink) Fingerprint(matched []byte) {
	if s.found != nil && s.found.Fingerprint == "" {
		sum := s.keyed(matched)
		const digits = "0123456789abcdef"
		out := make([]byte, 0, 32)
		for _, b := range sum {
			out = append(out, digits[b>>4], digits[b&15])
		}
		s.found.Fingerprint = string(out)
	}
}

// Skip reports something in the file that could not be understood.
func (s *Sink) Skip(reason string) {
	s.skipped = append(s.skipped, policy.Skipped{Reason: reason, Kind: policy.Unscannable})
}

// Result is what one detector found in one file: a finding without rule and
// path, or nil, and what it could not understand.
func (s *Sink) Result() (*policy.Finding, []policy.Skipped) {
	if s.found != nil {
		n := len(s.people)
		s.found.Individuals = policy.Individuals{Low: n, Point: n + s.overflow, High: n + s.overflow}
	}
	return s.found, s.skipped
}

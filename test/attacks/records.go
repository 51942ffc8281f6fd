// Package attacks does the same harm to copies of four logs of the same
// decisions, and asks each one's own verifier: journal files under Forward Secure
// Sealing, a file as auditd writes it, a plain chain of hashes, and phigate's
// decision log. deploy/ATTACKS.md is what its test found.
package attacks

import (
	"bytes"
	"fmt"
	"regexp"
)

// What is logged, and when somebody off the node keeps a proof of it.
const (
	early = 60  // records in the first copy of everything that the attacker has
	kept  = 100 // records that a checkpoint, or a chain's head, is kept of
	late  = 110 // records in the attacker's second copy
	total = 120

	victim  = 57 // the record that the attacker is after
	partner = 59 // the one that it changes places with
)

// step is one record of the log that the attacker wants: which one it was, from
// 0, and how it is changed.
type step struct {
	of     int
	change func(raw []byte) []byte // nil: it stays as it is
}

// untouched is the log as it was, up to n records.
func untouched(n int) []step {
	out := make([]step, n)
	for i := range out {
		out[i].of = i
	}
	return out
}

// The changes of one record. They keep its length, so that it can be changed where it is.

// admitted makes an admission of a refusal.
func admitted(raw []byte) []byte {
	return bytes.Replace(raw, []byte(`"verdict":"block"`), []byte(`"verdict":"allow"`), 1)
}

// flipped changes one byte.
func flipped(raw []byte) []byte {
	out := bytes.Clone(raw)
	out[bytes.Index(out, []byte(`"container":"`))+len(`"container":"`)] ^= 1
	return out
}

// zeroed leaves nothing of it.
func zeroed(raw []byte) []byte { return make([]byte, len(raw)) }

var stamp = regexp.MustCompile(`"time":"([^"]+)"`)

// backdated makes it a year older.
func backdated(raw []byte) []byte {
	out := bytes.Clone(raw)
	out[stamp.FindSubmatchIndex(raw)[2]+len("2026")-1]--
	return out
}

// retimed gives a record the time of another.
func retimed(raw, from []byte) []byte {
	return bytes.Replace(raw, stamp.Find(raw), stamp.Find(from), 1)
}

var number = regexp.MustCompile(`^\{"seq":(\d+),`)

// numbered gives a record its place in another log.
func numbered(raw []byte, seq uint64) []byte {
	return append(fmt.Appendf(nil, `{"seq":%d,`, seq), raw[len(number.Find(raw)):]...)
}

// payloads are the records that steps make of those that were logged, each with
// the number and the time of its place.
func payloads(records [][]byte, steps []step) [][]byte {
	var out [][]byte
	for i, s := range steps {
		raw := retimed(records[s.of], records[min(i, len(records)-1)])
		if s.change != nil {
			raw = s.change(raw)
		}
		out = append(out, numbered(raw, uint64(i+1)))
	}
	return out
}

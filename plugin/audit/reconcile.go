package audit

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"

	"golang.org/x/mod/sumdb/tlog"
)

// Copied is a record as another place has it.
type Copied struct {
	Seq uint64
	// Leaf is the hash of the log's record that the copy names, nil where it names none.
	Leaf *tlog.Hash
	// Fields are what it says of the record, by the names of [Facts].
	Fields map[string]string
}

// Reconciled is how a log and a copy of it differ.
type Reconciled struct {
	Records   uint64   `json:"records"` // of the log, from the copy's first number on
	Copies    uint64   `json:"copies"`
	Missing   []uint64 `json:"missing"`   // in the log, and not in the copy
	Duplicate []uint64 `json:"duplicate"` // more than once in the copy, all alike
	Foreign   []uint64 `json:"foreign"`   // in the copy, and not in the log
	Altered   []uint64 `json:"altered"`   // another record under the same number
	Unproven  uint64   `json:"unproven"`  // copies that name no leaf: their fields alone were compared
}

// OK says that the copy has each record once, as it was logged.
func (r *Reconciled) OK() bool {
	return len(r.Missing)+len(r.Foreign)+len(r.Altered) == 0
}

// Reconcile holds a copy, in any order, against the log in the folder dir, from
// record number from on. The copy's numbers and digests are held in memory.
func Reconcile(ctx context.Context, dir string, from uint64, copies []Copied) (*Reconciled, error) {
	slices.SortStableFunc(copies, func(a, b Copied) int { return int(int64(a.Seq) - int64(b.Seq)) })
	out := &Reconciled{Copies: uint64(len(copies)), Missing: []uint64{}, Duplicate: []uint64{}, Foreign: []uint64{}, Altered: []uint64{}}
	for len(copies) > 0 && copies[0].Seq < from {
		copies = copies[1:]
	}
	err := Entries(ctx, dir, from, func(e Entry) error {
		out.Records++
		for len(copies) > 0 && copies[0].Seq < e.Seq {
			out.Foreign = append(out.Foreign, copies[0].Seq)
			copies = copies[1:]
		}
		same, altered := 0, false
		for ; len(copies) > 0 && copies[0].Seq == e.Seq; copies = copies[1:] {
			if copies[0].Leaf == nil {
				out.Unproven++
			}
			if alike(e, copies[0]) {
				same++
			} else {
				altered = true
			}
		}
		switch {
		case altered:
			out.Altered = append(out.Altered, e.Seq)
		case same == 0:
			out.Missing = append(out.Missing, e.Seq)
		case same > 1:
			out.Duplicate = append(out.Duplicate, e.Seq)
		}
		return nil
	})
	for _, c := range copies {
		out.Foreign = append(out.Foreign, c.Seq)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the log to reconcile: %w", err)
	}
	return out, nil
}

// alike compares what a copy says with the record.
func alike(e Entry, c Copied) bool {
	if c.Leaf != nil && *c.Leaf != e.Leaf {
		return false
	}
	facts := Facts(e)
	for name, value := range c.Fields {
		if want, known := facts[name]; known && want != value {
			return false
		}
	}
	return true
}

// Facts are the parts of a record that copies are compared by: those that journal
// entries and exports carry.
func Facts(e Entry) map[string]string {
	d := e.Decision
	return map[string]string{
		"kind": d.Kind, "verdict": d.Verdict.String(), "container": d.Container, "namespace": d.Namespace,
		"pod": d.Pod, "podUid": d.PodUID, "image": d.Image, "imageDigest": d.ImageDigest, "policy": d.Policy,
	}
}

// ParseLeaf reads a leaf's hash in hex or base64.
func ParseLeaf(s string) (*tlog.Hash, error) {
	b, err := hex.DecodeString(s)
	if err != nil {
		b, err = base64.StdEncoding.DecodeString(s)
	}
	if err != nil || len(b) != tlog.HashSize {
		return nil, fmt.Errorf("it is no leaf's hash")
	}
	h := tlog.Hash(b)
	return &h, nil
}

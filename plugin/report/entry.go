package report

import "github.com/phigate/phigate/policy"

// Entry is a record of a decision log, with what proves it. Where a log keeps no
// tree, LogID and Leaf are empty.
type Entry struct {
	LogID string // the log's name, as its checkpoints have it
	Seq   uint64 // place in the log, from 1
	Leaf  string // RFC 6962 hash of the record's leaf, hex
	*policy.Decision
}

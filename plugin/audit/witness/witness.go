// Package witness is both sides of C2SP tlog-witness: a small server that signs
// what a log's checkpoints say as long as they are consistent with what it signed
// before, and the client that a log submits them with.
//
// A witness keeps nobody's records. It runs where whoever is root on the log's
// node is not, and then a log that was rolled back or that forked cannot get a
// cosignature any more.
package witness

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

const (
	addPath = "/add-checkpoint"
	// maxRequest bounds a request, in bytes: 63 hashes and a signed note.
	maxRequest = 64 << 10
	maxHashes  = 63
	sizeType   = "text/x.tlog.size"
)

// request is the body of add-checkpoint.
type request struct {
	old        uint64
	proof      tlog.TreeProof
	checkpoint []byte // a signed note
}

func (r request) bytes() []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "old %d\n", r.old)
	for _, h := range r.proof {
		fmt.Fprintf(&b, "%s\n", h)
	}
	b.WriteByte('\n')
	b.Write(r.checkpoint)
	return []byte(b.String())
}

// parseRequest reads the body of add-checkpoint.
func parseRequest(body []byte) (request, error) {
	head, note, ok := strings.Cut(string(body), "\n\n")
	if !ok {
		return request{}, errors.New("no empty line between proof and checkpoint")
	}
	lines := strings.Split(head, "\n")
	digits, ok := strings.CutPrefix(lines[0], "old ")
	old, err := parseSize(digits)
	if !ok || err != nil {
		return request{}, errors.New("the first line is not: old, and a size")
	}
	if len(lines)-1 > maxHashes {
		return request{}, fmt.Errorf("more than %d hashes", maxHashes)
	}
	r := request{old: old, checkpoint: []byte(note)}
	for _, line := range lines[1:] {
		h, err := base64.StdEncoding.Strict().DecodeString(line)
		if err != nil || len(h) != tlog.HashSize {
			return request{}, errors.New("a line of the proof is no hash")
		}
		r.proof = append(r.proof, tlog.Hash(h))
	}
	return r, nil
}

// parseSize reads a decimal without leading zeros.
func parseSize(s string) (uint64, error) {
	n, err := strconv.ParseUint(s, 10, 63)
	if err != nil || strconv.FormatUint(n, 10) != s {
		return 0, errors.New("not a size")
	}
	return n, nil
}

package attacks

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"testing"
	"time"
)

// lines is a log of a line for each record: auditd's, or a chain's.
type lines struct {
	t       testing.TB
	name    string
	records [][]byte
	write   func(payloads [][]byte) [][]byte
	check   func(lines [][]byte) []answer
}

func (l *lines) title() string { return l.name }

func (l *lines) save(all [][]byte) (string, error) {
	dir := l.t.TempDir()
	return dir, os.WriteFile(filepath.Join(dir, "log"), bytes.Join(all, nil), 0o600)
}

// edited moves the lines about, or writes all of them anew. There is no key to steal.
func (l *lines) edited(m means, steps []step) (string, error) {
	if m >= noKey {
		return l.save(l.write(payloads(l.records, steps)))
	}
	old := l.write(l.records)
	var out [][]byte
	for _, s := range steps {
		line := old[s.of]
		if s.change != nil {
			line = bytes.Replace(line, l.records[s.of], s.change(l.records[s.of]), 1)
			if m == itsSum {
				line = l.write(append(slices.Clone(l.records[:s.of]), s.change(l.records[s.of])))[s.of]
			}
		}
		out = append(out, line)
	}
	return l.save(out)
}

func (l *lines) copied(n int) (string, error) { return l.save(l.write(l.records[:n])) }

func (l *lines) forked() (string, error) { return l.save(l.write(payloads(l.records, fork()))) }

// fork is the first copy with other records behind it, more than there were.
func fork() []step {
	steps := untouched(early)
	for i := early; i < total+5; i++ {
		steps = append(steps, step{of: i%(early-1) + 1, change: admitted})
	}
	return steps
}

func (l *lines) pruned() (string, error) { return l.save(l.write(l.records)[early:]) }

func (l *lines) anew() (string, error) {
	return l.save(l.write(payloads(l.records, fork()[early:])))
}

func (l *lines) verify(folder string) ([]answer, error) {
	data, err := os.ReadFile(filepath.Join(folder, "log"))
	if err != nil {
		return nil, err
	}
	return l.check(slices.Collect(bytes.Lines(data))), nil
}

// auditd is a file in the form of auditd's log: a type, the time and the event's
// serial number. Nothing in it is computed over anything.
func auditd(t testing.TB, records [][]byte) *lines {
	return &lines{t: t, name: "auditd-style file", records: records, write: auditLines, check: checkAudit}
}

func auditLines(all [][]byte) [][]byte {
	var out [][]byte
	for _, raw := range all {
		at, err := time.Parse(time.RFC3339Nano, string(stamp.FindSubmatch(raw)[1]))
		if err != nil {
			panic(err)
		}
		serial := number.FindSubmatch(raw)[1]
		out = append(out, fmt.Appendf(nil, "type=TRUSTED_APP msg=audit(%d.%03d:%s): msg='%s'\n", at.Unix(), at.Nanosecond()/1e6, serial, raw))
	}
	return out
}

var auditLine = regexp.MustCompile(`^type=TRUSTED_APP msg=audit\((\d+\.\d{3}):(\d+)\): msg='.*'\n$`)

// checkAudit is more than ausearch and aureport do: serials without a gap, from
// whichever on since files rotate, and times that do not go back.
func checkAudit(all [][]byte) []answer {
	last, when := uint64(0), ""
	for _, line := range all {
		m := auditLine.FindSubmatch(line)
		if m == nil {
			return found("", last+1)
		}
		serial, err := strconv.ParseUint(string(m[2]), 10, 64)
		if err != nil || last != 0 && serial != last+1 || string(m[1]) < when {
			return found("", last+1)
		}
		last, when = serial, string(m[1])
	}
	return []answer{{}}
}

func found(with string, seq uint64) []answer {
	return []answer{{with: with, found: true, place: fmt.Sprintf("(%d)", seq)}}
}

// chain is a file whose lines hold, each, SHA-256 of the hash before and the
// record. Somebody off the node has noted the hash of one line.
func chain(t testing.TB, records [][]byte) *lines {
	head := chainLines(records)[at(kept)][:2*sha256.Size]
	return &lines{t: t, name: "plain SHA-256 chain", records: records, write: chainLines, check: func(all [][]byte) []answer {
		return checkChain(all, head)
	}}
}

func chainLines(all [][]byte) [][]byte {
	var out [][]byte
	var last [sha256.Size]byte
	for _, raw := range all {
		last = link(last, raw)
		out = append(out, fmt.Appendf(nil, "%x %s\n", last, raw))
	}
	return out
}

func link(before [sha256.Size]byte, raw []byte) [sha256.Size]byte {
	return sha256.Sum256(append(before[:], raw...))
}

func checkChain(all [][]byte, head []byte) []answer {
	var last [sha256.Size]byte
	for i, line := range all {
		sum, raw, ok := bytes.Cut(bytes.TrimSuffix(line, []byte("\n")), []byte(" "))
		last = link(last, raw)
		if !ok || hex.EncodeToString(last[:]) != string(sum) {
			return found("", uint64(i+1))
		}
	}
	there := len(all) >= kept && bytes.HasPrefix(all[at(kept)], head)
	return []answer{{}, {with: fmt.Sprintf("the head kept of %d", kept), found: !there}}
}

// Package osv holds what is known of insecure software: advisories in the format
// of the OpenSSF (ossf.github.io/osv-schema), as osv.dev and the distributions
// publish them. It is handed their bytes, keeps of them what a comparison needs,
// and asks no server.
package osv

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"time"
)

// Bounds of one advisory and of what is kept of all, in bytes. Debian's 75,000
// advisories take about 20 MiB.
const (
	MaxAdvisory = 8 << 20
	MaxKept     = 96 << 20
)

// ErrTooLarge means that the advisories do not fit in [MaxKept].
var ErrTooLarge = errors.New("the advisories would take more than 96 MiB of memory: give those of fewer ecosystems")

// Database is many advisories. Once it is filled it does not change, and may be
// used by many goroutines.
type Database struct {
	ids     []string
	names   map[name][]byte // of a package: records, see record.go
	covered map[release]int // how many records are about a release
	kept    int             // bytes, about
	ignored int             // advisories about nothing that can be compared
	newest  time.Time
	sum     hash.Hash
}

type name struct {
	ecosystem Ecosystem
	name      string
}

type release struct {
	ecosystem Ecosystem
	version   string
}

// New makes an empty database.
func New() *Database {
	return &Database{names: map[name][]byte{}, covered: map[release]int{}, sum: sha256.New()}
}

// Advisories is how many are kept: those about packages of a known [Ecosystem]
// that were not withdrawn.
func (d *Database) Advisories() int { return len(d.ids) }

// Ignored is how many were withdrawn or are about nothing that can be compared.
func (d *Database) Ignored() int { return d.ignored }

// Date is when the newest of them was modified; zero: none says.
func (d *Database) Date() time.Time { return d.newest }

// Day is the day of the newest, "2026-08-22"; "undated": none says.
func (d *Database) Day() string {
	if d.newest.IsZero() {
		return "undated"
	}
	return d.newest.UTC().Format(time.DateOnly)
}

// Digest names what the database knows.
func (d *Database) Digest() string { return "sha256:" + hex.EncodeToString(d.sum.Sum(nil)) }

// Note is the date as messages have it.
func (d *Database) Note() string {
	if d.newest.IsZero() {
		return " (advisories without a date)"
	}
	return " (advisories of " + d.Day() + ")"
}

// Covers says whether any advisory is about packages of the release.
func (d *Database) Covers(e Ecosystem, version string) bool {
	return d.covered[release{e, version}] > 0 || d.covered[release{e, ""}] > 0
}

// Match is an advisory that a version of a package is affected by.
type Match struct {
	ID string
	// Fixed is the version that is not affected any more; empty: none is known.
	Fixed string
}

// Candidates is how many comparisons Match will make of a package at most.
func (d *Database) Candidates(e Ecosystem, packageName string) int {
	return len(d.names[name{e, packageName}]) / leastRecord
}

// Match lists the advisories about a version of a package in a release of a
// distribution (empty: of none), in the order in which they were added.
func (d *Database) Match(e Ecosystem, releaseVersion, packageName, version string) []Match {
	var out []Match
	order := e.order()
	for rest := d.names[name{e, packageName}]; len(rest) > 0; {
		var r record
		r, rest = decodeRecord(rest)
		if r.release != "" && r.release != releaseVersion {
			continue
		}
		if affected, fixed := r.affects(order, version); affected {
			out = append(out, Match{ID: d.ids[r.id], Fixed: fixed})
		}
	}
	return out
}

// grow counts what is kept.
func (d *Database) grow(bytes int) error {
	if d.kept += bytes; d.kept > MaxKept {
		return ErrTooLarge
	}
	return nil
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("no OSV advisory: "+format, args...)
}

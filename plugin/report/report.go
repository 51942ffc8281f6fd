// Package report writes decisions for people and for machines. Each writer is a
// function of the record alone, so that any report can be made again from the
// log.
package report

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"

	"github.com/phigate/phigate/policy"
)

// JSON writes the decision, indented, with the names that policy.Decision
// promises to keep.
func JSON(w io.Writer, d *policy.Decision) error {
	c := *d
	if c.Findings == nil {
		c.Findings = []policy.Record{}
	}
	if c.Skipped == nil {
		c.Skipped = []policy.SkipEntry{}
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(&c); err != nil {
		return fmt.Errorf("writing report: %w", err)
	}
	return nil
}

// total is how many there were, of which the record may hold only the first.
func total(said, held int) int { return max(said, held) }

// count is a number and its noun: "1 rule", "1,203 people".
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return thousands(int64(n)) + " " + many
}

func thousands(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// size is a number of bytes in decimal units, as df -H has them.
func size(n int64) string {
	const units = "kMGTPE"
	if n < 1000 {
		return count(int(n), "byte", "bytes")
	}
	v, i := float64(n)/1000, 0
	for ; v >= 999.95 && i < len(units)-1; i++ {
		v /= 1000
	}
	return fmt.Sprintf("%.1f %cB", v, units[i])
}

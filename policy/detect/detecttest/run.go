// Package detecttest proves detectors: [Accept] gives each the tests that all
// must pass, [Run] runs one over bytes, [Rows] over a table.
package detecttest

import (
	"crypto/hmac"
	"crypto/sha256"
	"fmt"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/detect"
)

// Result is what a detector found in one file.
type Result struct {
	Findings []policy.Finding
	Skipped  []policy.Skipped
	Packages []detect.Package
}

// Of is the finding of a rule, nil without one.
func (r Result) Of(rule string) *policy.Finding {
	for i := range r.Findings {
		if r.Findings[i].Rule == rule {
			return &r.Findings[i]
		}
	}
	return nil
}

// blockBytes is the smallest buffer of a Scan, so that much crosses its edges.
const blockBytes = 8 << 10

// Run gives the detector a file in pieces of the given sizes, in turn; without
// sizes in one piece.
func Run(d detect.Detector, path string, content []byte, sizes ...int) Result {
	return run(scanOf(d), path, content, sizes...)
}

func run(c *detect.Scan, path string, content []byte, sizes ...int) Result {
	c.Open(path, int64(len(content)))
	if len(sizes) == 0 {
		sizes = []int{max(1, len(content))}
	}
	for i := 0; len(content) > 0; i++ {
		n := min(max(1, sizes[i%len(sizes)]), len(content))
		write(c, content[:n])
		content = content[n:]
	}
	return resultOf(c.Close())
}

// Rows gives the detector a table.
func Rows(d detect.Detector, path string, columns []string, rows [][]string) Result {
	return readTable(scanOf(d), path, columns, rows)
}

// Table is one table of a database.
type Table struct {
	Name    string
	Columns []string
	Rows    [][]string
}

// Database gives the detector the tables of a file, one after the other, and tells
// what was found in each and in all together.
func Database(d detect.Detector, path string, tables ...Table) (each []Result, together Result) {
	c := scanOf(d)
	c.OpenDatabase(path)
	for _, t := range tables {
		each = append(each, readTable(c, path+"!"+t.Name, t.Columns, t.Rows))
	}
	return each, resultOf(c.CloseDatabase())
}

func readTable(c *detect.Scan, path string, columns []string, rows [][]string) Result {
	if !c.OpenTable(path, columns) {
		return Result{}
	}
	for _, row := range rows {
		cells := make([][]byte, len(row))
		for i, cell := range row {
			cells[i] = []byte(cell)
		}
		more := c.Row(cells)
		for _, cell := range cells {
			clear(cell) // a reader may not keep it
		}
		if !more {
			break
		}
	}
	return resultOf(c.CloseTable())
}

// write overwrites each piece after it was taken, since nobody may keep it.
func write(c *detect.Scan, content []byte) {
	piece := append([]byte(nil), content...)
	c.Write(piece)
	clear(piece)
}

// scanOf panics when the detector's anchors cannot be compiled.
func scanOf(d detect.Detector) *detect.Scan {
	set, err := detect.NewSet([]detect.Detector{d})
	if err != nil {
		panic(fmt.Sprintf("detecttest: %v", err))
	}
	set.Block = blockBytes
	return set.NewScan(keyed)
}

func resultOf(r detect.Result) Result {
	return Result{Findings: r.Findings, Skipped: r.Skipped, Packages: r.Packages}
}

// keyed makes fingerprints under a key that is no secret.
func keyed(identity []byte) [16]byte {
	mac := hmac.New(sha256.New, []byte("detecttest"))
	mac.Write(identity)
	return [16]byte(mac.Sum(nil))
}

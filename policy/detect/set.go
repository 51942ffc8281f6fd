package detect

import (
	"fmt"

	"github.com/phigate/phigate/policy/detect/prefilter"
)

// Set is detectors made ready to run together. It does not change and may be
// used by many goroutines, each with a [Scan] of its own.
type Set struct {
	// Block is how many bytes of a file a Scan holds; 0: 256 KiB. Tests make it
	// small, so that much lies across its edges.
	Block int

	detectors []Detector
	filter    *prefilter.Set // of the anchors of all; nil: there are none
	anchors   []anchor       // by the filter's patterns
	eager     []int          // detectors that are asked at each file's beginning
	tables    []int          // detectors of tables
	tells     []telling      // where encoded content begins
	names     []int          // detectors of names
}

// anchor says whose a pattern is: a detector's, or with encodedContent an index
// of tellings.
type anchor struct{ detector, index int }

const encodedContent = -1

// NewSet compiles the anchors of the detectors. An error names the detector
// whose anchor cannot be compiled.
func NewSet(detectors []Detector) (*Set, error) {
	s := &Set{detectors: detectors}
	var exprs []string
	for i := range detectors {
		d := &detectors[i]
		for j, expr := range d.Anchors {
			exprs = append(exprs, expr)
			s.anchors = append(s.anchors, anchor{i, j})
		}
		if d.Open != nil && (d.Eager || len(d.Anchors) == 0) {
			s.eager = append(s.eager, i)
		}
		if d.Name != nil {
			s.names = append(s.names, i)
		}
		if d.Table != nil {
			s.tables = append(s.tables, i)
		}
	}
	if len(exprs) == 0 {
		return s, nil
	}
	s.tells = tellings()
	for i, t := range s.tells {
		exprs = append(exprs, t.expr)
		s.anchors = append(s.anchors, anchor{encodedContent, i})
	}
	var err error
	if s.filter, err = prefilter.Compile(exprs); err != nil {
		return nil, blame(detectors, err)
	}
	return s, nil
}

// blame names the detector whose anchors cannot be compiled.
func blame(detectors []Detector, err error) error {
	for _, d := range detectors {
		if _, own := prefilter.Compile(d.Anchors); own != nil {
			return fmt.Errorf("compiling the anchors of %s: %w", d.ID, own)
		}
	}
	return fmt.Errorf("compiling all anchors: %w", err)
}

// Detectors are those of the set, in order.
func (s *Set) Detectors() []Detector { return s.detectors }

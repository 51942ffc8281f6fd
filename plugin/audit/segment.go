package audit

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// segmentFormat names what this version writes and reads.
const segmentFormat = "phigate-log/1"

// maxSegment bounds a segment, in bytes, its first line included.
const maxSegment = 64 << 20

// header is the first line of a segment: all that is needed to go on from
// there, or to check the segment without those before it.
type header struct {
	Format string     `json:"format"`
	Log    string     `json:"log"`   // the log's origin
	First  uint64     `json:"first"` // number of the first record
	Epoch  uint64     `json:"epoch"` // of the first record
	Edge   edgeHashes `json:"edge"`  // of the tree before it
}

func (h *header) tree() tree { return tree{h.First - 1, slices.Clone(h.Edge)} }

// ForeignError is a log that this version does not write.
type ForeignError struct{ Path, Format string }

func (e *ForeignError) Error() string {
	return fmt.Sprintf("reading decision log %s: its format is %q, and this phigate reads %q: use the version that wrote it, or move the folder away to begin a new log", e.Path, e.Format, segmentFormat)
}

// readHeader reads and checks the first line of a segment.
func readHeader(r io.ReaderAt, name string) (header, error) {
	var h header
	b := make([]byte, blockSize)
	n, err := r.ReadAt(b, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return h, err
	}
	if err := readBlock(b[:n], &h); err != nil {
		return h, badFrame("its first line cannot be read: " + err.Error())
	}
	if h.Format != segmentFormat {
		return h, &ForeignError{Path: name, Format: h.Format}
	}
	if t := h.tree(); h.First == 0 || !t.whole() {
		return h, badFrame("its first line contradicts itself")
	}
	if first, ok := segmentFirst(name); ok && first != h.First {
		return h, badFrame(fmt.Sprintf("its first line is that of segment %d", h.First))
	}
	if want, err := makeBlock(h); err != nil || !bytes.Equal(want, b) {
		return h, badFrame("its first line is not as phigate writes it")
	}
	return h, nil
}

const (
	segmentDigits = 20
	segmentSuffix = ".log"
)

func segmentName(first uint64) string {
	return fmt.Sprintf("%0*d%s", segmentDigits, first, segmentSuffix)
}

// segmentFirst is the number in a segment's name; suffixes of files set aside
// are no part of it.
func segmentFirst(name string) (first uint64, ok bool) {
	name = name[strings.LastIndexByte(name, '/')+1:]
	if len(name) < segmentDigits+len(segmentSuffix) || name[segmentDigits:segmentDigits+len(segmentSuffix)] != segmentSuffix {
		return 0, false
	}
	first, err := strconv.ParseUint(name[:segmentDigits], 10, 64)
	return first, err == nil && first > 0
}

// segments are the numbers of the segments among names, in order.
func segments(names []string) []uint64 {
	var out []uint64
	for _, name := range names {
		if first, ok := segmentFirst(name); ok && len(name) == segmentDigits+len(segmentSuffix) {
			out = append(out, first)
		}
	}
	slices.Sort(out)
	return out
}

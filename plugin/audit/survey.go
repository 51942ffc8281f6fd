package audit

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"
)

// position is a place between two batches of a log.
type position struct {
	tree  tree // its size is the number of the last record
	size  int64
	time  time.Time
	epoch uint64
	key   Key
}

func (p *position) seq() uint64 { return p.tree.size }

// survey is what a segment holds.
type survey struct {
	end    position
	torn   bool         // something follows that was never acknowledged
	damage *DamageError // the first
}

// DamageError says where a log stops being readable.
type DamageError struct {
	Path   string
	Offset int64  // of the first damaged byte's frame
	After  uint64 // the last record before it, 0 when none
	Reason string
}

func (e *DamageError) Error() string {
	return fmt.Sprintf("reading decision log %s: damaged at byte %d, after record %d: %s", e.Path, e.Offset, e.After, e.Reason)
}

// surveyor reads the last segment of a log.
type surveyor struct {
	name string
	file file
	size int64
	head *head // nil where it is lost
}

// survey checks what is known to be durable, and then how far whole batches
// follow. Damage in the first part does not keep the second from being read.
func (s *surveyor) survey() (survey, error) {
	h, err := readHeader(s.file, s.name)
	var bad badFrame
	switch {
	case errors.As(err, &bad) && s.head == nil:
		return survey{damage: s.damaged(0, 0, bad)}, nil
	case errors.As(err, &bad):
		return s.behind(s.damaged(0, 0, bad))
	case err != nil:
		return survey{}, err
	}
	start := position{tree: h.tree(), size: blockSize, epoch: h.Epoch}
	if s.size > maxSegment+maxFrame {
		out := survey{end: start, damage: s.damaged(blockSize, h.First-1, badFrame(fmt.Sprintf("%d bytes, more than a segment can have", s.size)))}
		if s.head != nil {
			out.end = s.known()
		}
		return out, nil
	}
	if s.head == nil {
		return s.batches(start, nil)
	}
	if s.head.Segment != h.First { // the head is from before the rotation
		return s.rotated(start)
	}
	damage, err := s.durable(start)
	if err != nil {
		return survey{}, err
	}
	return s.behind(damage)
}

// known is the position that head tells.
func (s *surveyor) known() position {
	return position{tree: s.head.tree(), size: s.head.Size, time: s.head.Time, epoch: s.head.Epoch, key: s.head.Key}
}

// behind goes on from where head says that the durable part ends.
func (s *surveyor) behind(damage *DamageError) (survey, error) {
	if s.size > maxSegment+maxFrame {
		return survey{end: s.known(), damage: damage}, nil
	}
	key := s.head.Key
	out, err := s.batches(s.known(), &key)
	if damage != nil {
		out.damage = damage
	}
	return out, err
}

// rotated reads a segment that head does not know of yet.
func (s *surveyor) rotated(start position) (survey, error) {
	if s.head.Seq > start.seq() || s.head.Epoch > start.epoch {
		out := survey{end: s.known(), damage: s.damaged(0, start.seq(), badFrame(fmt.Sprintf("record %d was durable before this segment began", s.head.Seq)))}
		return out, nil
	}
	key := s.head.Key.after(start.epoch - s.head.Epoch)
	start.time = s.head.Time
	return s.batches(start, &key)
}

// durable checks the part that head covers.
func (s *surveyor) durable(at position) (*DamageError, error) {
	in := s.frames(at.size, s.head.Size)
	for {
		fr, err := in.next()
		if errors.Is(err, io.EOF) && in.offset == s.head.Size {
			break
		}
		if d, err := s.reason(err, in, at.seq()); d != nil || err != nil {
			return d, err
		}
		if reason := at.take(fr); reason != "" {
			return s.damaged(in.start, at.seq(), badFrame(reason)), nil
		}
	}
	if at.seq() != s.head.Seq || !slices.Equal(at.tree.edge, s.head.Edge) || at.epoch != s.head.Epoch {
		return s.damaged(blockSize, at.seq(), "its records are not those that were written"), nil
	}
	return nil, nil
}

// take adds a frame to the position, or says why it cannot follow.
func (p *position) take(fr frame) (reason string) {
	switch {
	case fr.seq() != p.seq()+1:
		return fmt.Sprintf("record %d follows", fr.seq())
	case fr.epoch() != p.epoch:
		return fmt.Sprintf("record %d is of epoch %d, and %d is due", fr.seq(), fr.epoch(), p.epoch)
	}
	p.tree.add(fr.leaf(), nil)
	if fr.last() {
		p.epoch++
	}
	return ""
}

// batches reads whole batches from a position on: all that can be read, if need
// be without the key.
func (s *surveyor) batches(at position, key *Key) (survey, error) {
	if key != nil {
		at.key = *key
	}
	out := survey{end: at}
	out.end.tree = at.tree.clone()
	in := s.frames(at.size, s.size)
	latest := []byte(nil)
	for {
		fr, err := in.next()
		if errors.Is(err, io.EOF) && in.offset == out.end.size {
			return out, out.dated(latest)
		}
		reason := badFrame("")
		var bad badFrame
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, errTorn):
			reason = "the file ends within a batch"
		case errors.As(err, &bad):
			reason = bad
		case err != nil:
			return out, err
		case key != nil && !fr.genuine(newMaccer(at.key)):
			reason = "a record that this node did not write"
		default:
			reason = badFrame(at.take(fr))
		}
		if reason != "" {
			out.torn = true
			if later(s.file, s.size, in.start, out.end.epoch, at.seq()) {
				out.torn, out.damage = false, s.damaged(in.start, at.seq(), reason)
			}
			return out, out.dated(latest)
		}
		if fr.last() {
			at.key, at.size = at.key.next(), in.offset
			out.end = at
			out.end.tree = at.tree.clone()
			latest = append(latest[:0], fr.raw()...)
		}
	}
}

// dated reads the time of the last record.
func (s *survey) dated(latest []byte) error {
	if latest == nil {
		return nil
	}
	d, err := decode(latest)
	if err != nil {
		return err
	}
	s.end.time = d.Time
	return nil
}

// later says whether a record of a later epoch than the given one lies anywhere
// behind an offset. Then what is there was durable, since a batch is written only
// when the one before is on the disk.
func later(r io.ReaderAt, size, offset int64, epoch, after uint64) bool {
	const window = 1 << 20
	begins := []byte(`{"seq":`)
	buf := make([]byte, window+payloadAt+len(begins))
	for ; offset < size; offset += window {
		n, _ := r.ReadAt(buf, offset)
		for i := payloadAt; i < n; i++ {
			at := bytes.Index(buf[i:n], begins)
			if at < 0 || i+at-payloadAt >= window {
				break
			}
			i += at
			if isLater(r, size, offset+int64(i-payloadAt), epoch, after) {
				return true
			}
		}
	}
	return false
}

func isLater(r io.ReaderAt, size, offset int64, epoch, after uint64) bool {
	fr, err := (&frames{r: io.NewSectionReader(r, offset, size-offset)}).next()
	return err == nil && fr.epoch() > epoch && fr.seq() > after
}

func (s *surveyor) frames(from, to int64) *frames {
	return &frames{r: bufio.NewReaderSize(io.NewSectionReader(s.file, from, max(to-from, 0)), 64<<10), offset: from}
}

// reason turns what a reader met in the durable part into damage.
func (s *surveyor) reason(err error, in *frames, after uint64) (*DamageError, error) {
	var bad badFrame
	switch {
	case err == nil:
		return nil, nil
	case errors.Is(err, io.EOF), errors.Is(err, errTorn):
		return s.damaged(in.start, after, "the file ends, and more was durable"), nil
	case errors.As(err, &bad):
		return s.damaged(in.start, after, bad), nil
	}
	return nil, err
}

func (s *surveyor) damaged(offset int64, after uint64, reason badFrame) *DamageError {
	return &DamageError{Path: s.name, Offset: offset, After: after, Reason: string(reason)}
}

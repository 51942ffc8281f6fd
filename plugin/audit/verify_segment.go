package audit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"golang.org/x/mod/sumdb/tlog"
)

// chunkSize is about how many bytes are looked at at once.
const chunkSize = 1 << 20

// chunk is some whole frames of a segment, and what a worker made of them.
type chunk struct {
	buf    []byte // that data is in
	data   []byte
	offset int64 // in the file
	at     position
	keyed  bool
	turns  []turn // behind each batch that ends here

	leaves []tlog.Hash
	ends   position // epoch behind the last whole one
	bad    *Problem // at the frame behind leaves
	macs   uint64
	forged *Problem // the first whose mac is another
	done   chan struct{}
}

// turn is the key of the next batch, where it is known: each is made once, since
// that is a hash for each batch.
type turn struct {
	key   Key
	known bool
}

// segment checks one segment; next is the first number of the one behind it.
func (v *verification) segment(ctx context.Context, name string, next uint64) error {
	at, closer, size, err := openSegment(v.fsys, name)
	if err != nil {
		return fmt.Errorf("opening decision log: %w", err)
	}
	defer closer.Close()
	v.Segments++
	h, err := readHeader(at, name)
	var foreign *ForeignError
	var bad badFrame
	switch {
	case errors.As(err, &foreign):
		v.lost(Problem{Kind: Foreign, File: name, Text: foreign.Error()}, next)
		return nil
	case errors.As(err, &bad):
		first, _ := segmentFirst(name)
		if !v.startAt(name, first) {
			v.lost(Problem{Seq: first, Kind: Damaged, File: name, Text: string(bad)}, next)
			return nil
		}
		v.problem(Problem{Seq: first, Kind: Damaged, File: name, Text: string(bad)})
	case err != nil:
		return fmt.Errorf("reading decision log: %w", err)
	default:
		v.begin(name, h)
	}
	return v.frames(ctx, name, at, size, next)
}

// begin holds a segment's first line against what was read before it, and goes on
// from what it says.
func (v *verification) begin(name string, h header) {
	fail := func(kind, format string, args ...any) {
		v.problem(Problem{Seq: min(h.First, v.at.seq()+1), Kind: kind, File: name, Text: fmt.Sprintf(format, args...)})
	}
	if v.Log == "" {
		v.Log = h.Log
	}
	if h.Log != v.Log {
		fail(Foreign, "it is of another log: %s", h.Log)
	}
	fresh := position{tree: h.tree(), epoch: h.Epoch}
	switch {
	case !v.started && h.First > 1:
		v.First = h.First
		if v.options.Whole {
			v.problem(Problem{Seq: 1, UpTo: h.First - 1, Kind: Missing, File: name, Text: fmt.Sprintf("records 1 to %d are not here: archived segments belong beside this one", h.First-1)})
		} else {
			v.note("the records before %d are not here: they are archived", h.First)
		}
	case !v.started:
		v.First = 1
		if h.Epoch != 0 && len(h.Edge) == 0 && !slices.ContainsFunc(v.options.Keys, func(k FirstKey) bool { return k.Epoch == h.Epoch }) {
			fail(Altered, "the first segment begins with epoch %d", h.Epoch)
		}
	case v.broken:
	case h.First != v.at.seq()+1 && h.First > v.at.seq():
		fail(Missing, "records %d to %d are not here", v.at.seq()+1, h.First-1)
	case h.First != v.at.seq()+1:
		fail(Disorder, "it begins with record %d behind record %d", h.First, v.at.seq())
	case !slices.Equal([]tlog.Hash(h.Edge), v.at.tree.edge):
		fail(Altered, "its first line tells of other records than those before it")
	case h.Epoch != v.at.epoch:
		fail(Altered, "its first line tells of another epoch: %d, and %d is due", h.Epoch, v.at.epoch)
	default: // as it should be
		return
	}
	v.goTo(fresh)
}

// startAt goes on with a segment whose first line cannot be read, where what went
// before says what it must have been.
func (v *verification) startAt(name string, first uint64) bool {
	return v.started && !v.broken && first == v.at.seq()+1
}

// goTo continues at a position that is taken on trust.
func (v *verification) goTo(p position) {
	if v.started && v.keyed && p.epoch >= v.at.epoch {
		p.key = v.at.key.after(p.epoch - v.at.epoch)
	} else {
		v.keyed = false
	}
	v.at, v.broken, v.started = p, false, true
}

// lost gives up the rest of a segment.
func (v *verification) lost(p Problem, next uint64) {
	if p.Seq == 0 && v.started {
		p.Seq = v.at.seq() + 1
	}
	v.problem(p)
	v.broken = true
}

// frames checks the records of a segment: one goroutine cuts the file into
// chunks, workers look at them, and this one adds up the tree in order.
func (v *verification) frames(ctx context.Context, name string, file io.ReaderAt, size int64, next uint64) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	workers := v.options.Workers
	if workers == 0 {
		workers = 2
	}
	v.rekey()
	work, order := make(chan *chunk), make(chan *chunk, 2*workers)
	c := &cutter{in: file, size: size, offset: blockSize, at: v.at, keyed: v.keyed, keys: v.options.Keys, next: next, log: v.Log}
	for range workers {
		go func() {
			for k := range work {
				k.check(name)
			}
		}()
	}
	go func() {
		defer close(work)
		defer close(order)
		c.cut(ctx, work, order)
	}()
	for k := range order {
		<-k.done
		if !v.broken {
			v.merge(k)
		}
		chunks.Put(k)
	}
	if c.err != nil {
		return fmt.Errorf("reading decision log: %s: %w", name, c.err)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	v.ended(name, c, file, size, next)
	return nil
}

// rekey takes up a first key where its epoch has come.
func (v *verification) rekey() {
	if k, ok := keyOf(v.options.Keys, v.Log, v.at.epoch); ok && !v.keyed {
		v.at.key, v.keyed = k, true
	}
}

// keyOf is the key of an epoch.
func keyOf(keys []FirstKey, log string, epoch uint64) (Key, bool) {
	var best *FirstKey
	for i := range keys {
		if k := &keys[i]; k.Log == log && k.Epoch <= epoch && (best == nil || k.Epoch >= best.Epoch) {
			best = k
		}
	}
	if best == nil {
		return Key{}, false
	}
	return best.Key.after(epoch - best.Epoch), true
}

// merge adds a chunk's leaves to the tree and holds checkpoints against it.
func (v *verification) merge(k *chunk) {
	for _, leaf := range k.leaves {
		v.at.tree.add(leaf, nil)
		v.compare()
	}
	v.Records += uint64(len(k.leaves))
	v.Macs += k.macs
	v.at.epoch, v.at.key = k.ends.epoch, k.ends.key
	if k.forged != nil {
		v.problem(*k.forged)
	}
	if k.bad != nil {
		v.problem(*k.bad)
		v.broken = true
	}
}

// compare holds the checkpoints of the tree's size against it.
func (v *verification) compare() {
	for i := range v.Checkpoints {
		c := &v.Checkpoints[i]
		if c.Size != v.at.tree.size {
			continue
		}
		if c.OK = c.root == v.at.tree.root(); c.OK {
			v.Proven = max(v.Proven, c.Size)
			continue
		}
		v.problem(Problem{Seq: v.Proven + 1, UpTo: c.Size, Kind: Altered, File: c.From,
			Text: fmt.Sprintf("the first %d records are not those that the checkpoint covers: one of records %d to %d is another", c.Size, v.Proven+1, c.Size)})
	}
}

// ended judges how a segment ends.
func (v *verification) ended(name string, c *cutter, file io.ReaderAt, size int64, next uint64) {
	durable := int64(0)
	if v.head != nil && segmentName(v.head.Segment) == name {
		durable = v.head.Size
	}
	rest := size - c.offset
	switch {
	case v.broken:
	case c.bad != "" && (next != 0 || c.offset < durable || later(file, size, c.offset, v.at.epoch, v.at.seq())):
		v.lost(Problem{Seq: v.at.seq() + 1, Kind: Damaged, File: name, Offset: c.offset, Text: c.bad}, next)
	case c.abandoned:
		v.note("%s has %d bytes behind record %d that were never durable", name, rest, next-1)
	case rest > 0 || c.open:
		v.note("%s ends within a batch: phigated is writing it, or its last batch was never acknowledged", name)
	case next == 0 && c.offset < durable:
		v.problem(Problem{Seq: v.at.seq() + 1, Kind: Truncated, File: name, Offset: c.offset, Text: "the file ends, and more was durable"})
	}
}

// chunks are those that may be used again, for their memory.
var chunks = sync.Pool{New: func() any { return new(chunk) }}

// cutter reads a segment into chunks of whole frames.
type cutter struct {
	in     io.ReaderAt
	log    string
	size   int64
	offset int64  // of the next frame
	begun  []byte // what was read of it
	need   int    // its size, 0 when that was not read
	at     position
	keyed  bool
	keys   []FirstKey
	next   uint64

	bad       string // why no more frames can be read
	abandoned bool   // what follows is in the next segment
	open      bool   // the last batch is not whole
	err       error
}

func (c *cutter) cut(ctx context.Context, work, order chan<- *chunk) {
	for more := true; more; {
		k := chunks.Get().(*chunk)
		*k = chunk{buf: k.buf, leaves: k.leaves[:0], turns: k.turns[:0], offset: c.offset, at: c.at, keyed: c.keyed, done: make(chan struct{})}
		k.at.tree = tree{size: c.at.tree.size}
		if more = c.fill(k); len(k.data) == 0 {
			continue
		}
		select {
		case order <- k:
		case <-ctx.Done():
			return
		}
		select {
		case work <- k:
		case <-ctx.Done():
			close(k.done)
			return
		}
	}
}

// fill reads frames by their length alone, and follows their epochs so that the
// next chunk has its key.
func (c *cutter) fill(k *chunk) (more bool) {
	ended, err := c.read(k)
	if err != nil {
		c.err = err
		return false
	}
	for rest := k.buf; ; {
		size := 0
		if len(rest) >= payloadAt {
			if size = frameSize(rest); size == 0 {
				c.bad = "no frame"
				return false
			}
			if c.next != 0 && frame(rest).seq() >= c.next {
				c.abandoned = true
				return false
			}
		}
		if size == 0 || size > len(rest) {
			if ended && len(rest) > 0 {
				c.bad = errTorn.Error()
			}
			c.begun, c.need = append(c.begun[:0], rest...), size
			return !ended
		}
		k.data = k.buf[:len(k.buf)-len(rest)+size]
		c.pass(k, frame(rest[:size]))
		rest = rest[size:]
	}
}

// read puts what the file has next behind the frame that was begun, and says
// whether that is all.
func (c *cutter) read(k *chunk) (ended bool, err error) {
	from := c.offset + int64(len(c.begun))
	want := int(min(int64(max(chunkSize, c.need)-len(c.begun)), max(c.size-from, 0)))
	k.buf = slices.Grow(append(k.buf[:0], c.begun...), want)
	n, err := c.in.ReadAt(k.buf[len(k.buf):len(k.buf)+want], from)
	k.buf = k.buf[:len(k.buf)+n]
	if n == want || errors.Is(err, io.EOF) {
		err = nil
	}
	return n < want || from+int64(n) >= c.size, err
}

// pass goes behind a frame.
func (c *cutter) pass(k *chunk, fr frame) {
	c.offset += int64(len(fr))
	c.at.tree.size++
	if c.open = !fr.last(); !c.open {
		c.at.epoch++
		c.at.key, c.keyed = following(c.keys, c.at.key, c.keyed, c.at.epoch)
		k.turns = append(k.turns, turn{c.at.key, c.keyed})
	}
}

// following is the key of the epoch behind a key's, unless another line begins there.
func following(keys []FirstKey, key Key, keyed bool, epoch uint64) (Key, bool) {
	for _, k := range slices.Backward(keys) { // of two, the later took the place of one that was never used
		if k.Epoch == epoch {
			return k.Key, true
		}
	}
	if !keyed {
		return key, false
	}
	return key.next(), true
}

// check looks at a chunk's frames: checksum, number, epoch, mac, leaf.
func (k *chunk) check(name string) {
	defer close(k.done)
	at, keyed, turns := k.at, k.keyed, k.turns
	m := newMaccer(at.key)
	for rest, offset := k.data, k.offset; len(rest) > 0; {
		size := frameSize(rest)
		fr := frame(rest[:size])
		seq := at.tree.size + 1
		if kind, text := k.wrong(fr, at); text != "" {
			k.bad = &Problem{Seq: seq, Kind: kind, File: name, Offset: offset, Text: text}
			break
		}
		if keyed {
			k.macs++
			if !fr.genuine(m) && k.forged == nil {
				k.forged = &Problem{Seq: seq, Kind: Altered, File: name, Offset: offset, Text: "its mac is not that of the key of its epoch"}
			}
		}
		k.leaves = append(k.leaves, fr.leaf())
		at.tree.size++
		if fr.last() {
			at.epoch++
			if at.key, keyed = turns[0].key, turns[0].known; keyed {
				m.use(at.key)
			}
			turns = turns[1:]
		}
		rest, offset = rest[size:], offset+int64(size)
	}
	k.ends = at
	k.data = nil
}

func (k *chunk) wrong(fr frame, at position) (kind, text string) {
	if reason := fr.check(); reason != "" {
		return Damaged, reason
	}
	switch seq := at.tree.size + 1; {
	case fr.seq() > seq:
		return Missing, fmt.Sprintf("record %d follows record %d", fr.seq(), seq-1)
	case fr.seq() < seq:
		return Disorder, fmt.Sprintf("record %d follows record %d", fr.seq(), seq-1)
	case fr.epoch() > at.epoch:
		return Missing, fmt.Sprintf("record %d is of epoch %d, and %d is due: it was written by another hand, or batches are gone", seq, fr.epoch(), at.epoch)
	case fr.epoch() < at.epoch:
		return Altered, fmt.Sprintf("record %d is of epoch %d, and %d is due", seq, fr.epoch(), at.epoch)
	}
	return "", ""
}

package detect

import (
	"github.com/phigate/phigate/policy/detect/prefilter"
)

// The buffer that a Scan works in. Of what was judged, keptBytes stay for
// readers that wake and for Hit.Text; what is nearer to the end than NearAfter
// waits for the bytes behind it.
const (
	defaultBlock = 256 << 10
	keptBytes    = 2048
	maxAnchor    = 64 // positions of an expression
	waitBytes    = NearAfter + maxAnchor
	minBlock     = 2 * (keptBytes + waitBytes)
)

// hitBatch is how many matches are taken from the prefilter at a time; at one
// offset there are never more than anchors.
const hitBatch = 1024

// Scan runs a set over one file or table after the other. It holds a fixed
// amount of memory and must not be used by two goroutines at a time.
//
// A file: Open, then Space and Filled (or Write) until all bytes are in, with
// Hole for those that a sparse file does not have, then Close. What is found
// does not depend on how the bytes were divided.
type Scan struct {
	// Encoded takes what files hold in encodings; nil: nothing is decoded.
	Encoded Encoded

	set    *Set
	sinks  []Sink
	files  []fileState // by detector
	opened []int       // detectors with a reader
	hits   []prefilter.Hit

	meta  Meta
	head  []byte // kept when the file is longer than a block
	began bool   // the eager detectors were asked

	hit   Hit
	buf   []byte
	base  int64 // where buf[0] lies in the file
	first int   // 1: buf[0] is a line end that stands before the file or behind a hole
	fill  int   // bytes in buf
	from  int   // matches before were dealt with
	wide  *wide // not nil: the file is UTF-16

	pieces pieces // of encoded content

	rows      int64 // of the table so far
	databases []map[int]Database
}

// fileState is one detector with one file.
type fileState struct {
	reader Reader
	rows   RowReader
	awake  bool
	pos    int64 // of the next byte that the reader gets
}

// NewScan makes a Scan; keyed is an HMAC whose key the caller keeps.
func (s *Set) NewScan(keyed func(identity []byte) [16]byte) *Scan {
	block := defaultBlock
	if s.Block > 0 {
		block = max(s.Block, minBlock)
	}
	c := &Scan{set: s, buf: make([]byte, block), head: make([]byte, 0, HeadBytes),
		sinks: make([]Sink, len(s.detectors)), files: make([]fileState, len(s.detectors)),
		hits: make([]prefilter.Hit, 0, max(hitBatch, len(s.anchors)))}
	c.pieces.tells = s.tells
	for i := range c.sinks {
		c.sinks[i] = Sink{detector: &s.detectors[i], keyed: keyed, at: c.offset, decoded: c.pieces.decoded}
	}
	return c
}

// Open begins a file; size is -1 where it is not known.
func (c *Scan) Open(path string, size int64) {
	for i := range c.sinks {
		c.sinks[i].reset()
	}
	c.meta = Meta{Path: path, Size: size}
	c.head, c.began, c.wide = c.head[:0], false, nil
	c.pieces.reset(c.Encoded)
	c.restart(0)
}

// restart begins a run of bytes at off, which a line end is put before.
func (c *Scan) restart(off int64) {
	c.buf[0] = '\n'
	c.base, c.first, c.fill, c.from = off-1, 1, 1, 0
}

// Space is where the next bytes of the file belong; it is never empty.
func (c *Scan) Space() []byte {
	if c.wide != nil {
		return c.wide.raw[c.wide.n:]
	}
	return c.buf[c.fill : len(c.buf)-1] // one byte stays for the line end after the file
}

// Filled says that n bytes were put at Space's beginning.
func (c *Scan) Filled(n int) {
	if c.wide != nil {
		c.wide.n, c.wide.size = c.wide.n+n, c.wide.size+int64(n)
		c.decode()
		return
	}
	c.take(n)
}

// take has n more bytes in buf.
func (c *Scan) take(n int) {
	c.fill += n
	if c.fill == len(c.buf)-1 {
		c.block(false)
	}
}

// Write takes the next bytes of the file. It never fails.
func (c *Scan) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		n := copy(c.Space(), rest)
		c.Filled(n)
		rest = rest[n:]
	}
	return len(p), nil
}

// Hole passes over n bytes of the file, which are zero. What stands before it
// is judged as if the file ended there.
func (c *Scan) Hole(n int64) {
	if n <= 0 {
		return
	}
	c.flush()
	c.pieces.close()
	end := c.base + int64(c.fill)
	if c.wide != nil {
		c.wide.size += n
		n /= 2
	}
	c.restart(end + n)
}

// Close ends the file and returns what was found. The result's findings have
// no path yet.
func (c *Scan) Close() Result {
	c.flush()
	c.pieces.close()
	for _, i := range c.opened {
		c.guard(i, c.files[i].reader.Close)
	}
	r := c.result()
	if c.wide != nil {
		c.wide.within(r.Findings)
	}
	return r
}

// result collects what the detectors found, and forgets their readers.
func (c *Scan) result() Result {
	for _, i := range c.opened {
		c.files[i] = fileState{}
	}
	c.opened = c.opened[:0]
	var r Result
	for i := range c.sinks {
		if s := &c.sinks[i]; s.used || s.crashed {
			r.add(s)
		}
	}
	return r
}

// flush judges all that is in the buffer.
func (c *Scan) flush() {
	if !c.began {
		c.begin()
	}
	c.block(true)
}

// block judges what is in the buffer, all of it or as far as what follows does
// not matter, and makes room.
func (c *Scan) block(last bool) {
	if !c.began && c.begin() {
		return // was decoded and dealt with
	}
	cut, end := c.fill, c.fill
	if last {
		c.buf[end] = '\n'
		end++
	} else {
		cut -= waitBytes
	}
	c.judge(cut, end)
	if c.Encoded != nil {
		c.pieces.feed(c.buf[c.first:cut], c.start())
	}
	for _, i := range c.opened {
		if c.files[i].awake {
			c.deliver(i, cut)
		}
	}
	if last {
		return
	}
	keep := max(0, cut-keptBytes)
	c.fill = copy(c.buf, c.buf[keep:c.fill])
	c.base += int64(keep)
	c.first, c.from = max(0, c.first-keep), cut-keep
}

// begin asks the eager detectors, and finds out whether the file is UTF-16: then
// what is in the buffer is decoded, and true is returned.
func (c *Scan) begin() bool {
	c.began = true
	raw := c.buf[1:c.fill]
	if c.wide == nil {
		if order := orderOf(raw[:min(len(raw), HeadBytes)]); order != nil {
			c.wide, c.began = newWide(order, raw), false
			c.restart(0)
			c.decode()
			return true
		}
	}
	c.head = append(c.head, raw[:min(len(raw), HeadBytes)]...)
	c.meta.Head, c.meta.Hit = c.head, nil
	for _, i := range c.set.eager {
		c.open(i)
	}
	return false
}

// open asks a detector whether it wants the file, from what is held of it on.
func (c *Scan) open(i int) {
	s := &c.sinks[i]
	if s.crashed {
		return
	}
	var reader Reader
	c.guard(i, func() { reader = c.set.detectors[i].Open(c.meta, s) })
	if reader != nil && !s.crashed {
		c.files[i] = fileState{reader: reader, awake: true, pos: c.start()}
		c.opened = append(c.opened, i)
	}
}

// judge has the matches that begin before cut dealt with; end is where the
// bytes end, with a line end after the file's last.
func (c *Scan) judge(cut, end int) {
	if c.set.filter == nil {
		return
	}
	data := c.buf[:min(end, cut+maxAnchor)]
	for next := c.from; next < len(data); {
		var hits []prefilter.Hit
		hits, next = c.set.filter.Find(c.hits[:0], data, next)
		for _, h := range hits {
			if int(h.Off) >= cut {
				return
			}
			c.match(h, end)
		}
	}
}

// match tells a detector of a match.
func (c *Scan) match(h prefilter.Hit, end int) {
	a := c.set.anchors[h.Pattern]
	if a.detector == encodedContent {
		if c.Encoded != nil {
			c.pieces.tell(a.index, c.base+int64(h.Off), c.buf[c.first:max(c.first, int(h.Off))])
		}
		return
	}
	s := &c.sinks[a.detector]
	if s.crashed || s.vain > maxVain || s.covered > 0 && c.base+int64(h.Off) < s.covered {
		return
	}
	if s.vain++; s.vain > maxVain {
		s.Skip("too many places that look like one and are none")
		return
	}
	at := int(h.Off)
	from := max(0, at-NearBefore)
	stop := at + c.set.filter.Len(int(h.Pattern))
	c.meta.Head = c.head
	c.hit = Hit{Meta: &c.meta, Anchor: a.index, Off: c.base + int64(at),
		Text: c.buf[from:min(end, stop+NearAfter)], At: at - from, End: stop - from}
	if near := c.set.detectors[a.detector].Near; near != nil {
		c.guard(a.detector, func() { near(c.hit, s) })
	}
	c.wake(a.detector)
}

// wake has a detector's reader read from before the match on.
func (c *Scan) wake(i int) {
	state := &c.files[i]
	switch {
	case c.set.detectors[i].Open == nil || state.awake:
	case state.reader == nil:
		c.meta.Hit = &c.hit
		c.open(i)
		c.meta.Hit = nil
	default:
		state.awake, state.pos = true, max(state.pos, c.start())
	}
}

// start is where what is held of the file begins.
func (c *Scan) start() int64 { return c.base + int64(c.first) }

// deliver gives a reader what it has not seen of the buffer before cut, and
// lets it sleep when it wants to.
func (c *Scan) deliver(i, cut int) {
	state := &c.files[i]
	state.pos = max(state.pos, c.start())
	if from := int(state.pos - c.base); from < cut {
		w := Window{Off: state.pos, Data: c.buf[from:cut:cut]}
		state.pos += int64(len(w.Data))
		c.guard(i, func() { state.reader.Window(w) })
	}
	if idler, ok := state.reader.(Idler); ok && len(c.set.detectors[i].Anchors) > 0 {
		c.guard(i, func() { state.awake = !idler.Idle() })
	}
}

// guard calls a detector; one that panics is asked nothing more about the file.
func (c *Scan) guard(i int, fn func()) {
	defer func() {
		if recover() != nil {
			c.sinks[i].crashed = true
			c.files[i].reader, c.files[i].rows, c.files[i].awake = deaf{}, deaf{}, false
		}
	}()
	fn()
}

// deaf takes the place of a reader that crashed.
type deaf struct{}

func (deaf) Window(Window)            {}
func (deaf) Row(int64, [][]byte) bool { return false }
func (deaf) Close()                   {}

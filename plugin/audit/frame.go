package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strconv"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/phigate/phigate/policy"
)

// The layout of a frame, see the package's text. Offsets are in bytes.
const (
	frameHead  = 8 // length and checksum
	seqAt      = frameHead + 1
	epochAt    = seqAt + 8
	macAt      = epochAt + 8
	payloadAt  = macAt + sha256.Size
	maxPayload = 32 << 20 // policy.MaxRecorded keeps a decision far below it
	maxFrame   = payloadAt + maxPayload
	leastFrame = payloadAt + len(`{"seq":1}`+"\n")

	lastOfBatch = 1 << 63 // in the epoch
)

// errTorn is the end of a file that stops within a frame.
var errTorn = errors.New("the last record is torn")

// encode is a record's JSON as it is logged, with its newline.
func encode(d *policy.Decision) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(d); err != nil { // ends with the newline
		return nil, fmt.Errorf("encoding record: %w", err)
	}
	if b.Len() > maxPayload {
		return nil, fmt.Errorf("encoding record: %d bytes, the limit is %d", b.Len(), maxPayload)
	}
	return b.Bytes(), nil
}

// decode reads a record's JSON.
func decode(raw []byte) (*policy.Decision, error) {
	d := new(policy.Decision)
	if err := json.Unmarshal(raw, d); err != nil {
		return nil, fmt.Errorf("decoding record: %w", err)
	}
	return d, nil
}

// appendFrame adds a record's frame to buf; epoch has the mark of the last one.
func appendFrame(buf []byte, seq, epoch uint64, m *maccer, payload []byte) []byte {
	start := len(buf)
	buf = binary.BigEndian.AppendUint32(buf, uint32(payloadAt-frameHead+len(payload)))
	buf = append(buf, 0, 0, 0, 0, 0) // the checksum, and RFC 6962's mark of a leaf
	buf = binary.BigEndian.AppendUint64(buf, seq)
	buf = binary.BigEndian.AppendUint64(buf, epoch)
	buf = m.sum(buf, seq, epoch, payload)
	buf = append(buf, payload...)
	frame := buf[start:]
	binary.BigEndian.PutUint32(frame[4:], checksum(frame[frameHead:]))
	return buf
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func checksum(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }

// frame is one record's bytes, whole. It is valid as long as they are.
type frame []byte

func (f frame) seq() uint64     { return binary.BigEndian.Uint64(f[seqAt:]) }
func (f frame) epoch() uint64   { return binary.BigEndian.Uint64(f[epochAt:]) &^ lastOfBatch }
func (f frame) last() bool      { return f[epochAt]&0x80 != 0 }
func (f frame) mac() []byte     { return f[macAt:payloadAt] }
func (f frame) payload() []byte { return f[payloadAt:] }

// raw is the JSON without its newline.
func (f frame) raw() []byte { return f[payloadAt : len(f)-1] }

// leaf is RFC 6962's leaf hash of seq, epoch, mac and payload.
func (f frame) leaf() tlog.Hash { return sha256.Sum256(f[frameHead:]) }

// genuine says whether the mac was made with the key of the maccer.
func (f frame) genuine(m *maccer) bool {
	return bytes.Equal(m.over(f[seqAt:macAt], f.payload()), f.mac())
}

// frameSize is the size of the frame whose first bytes are given, 0 when there
// is none.
func frameSize(head []byte) int {
	size := frameHead + int(binary.BigEndian.Uint32(head))
	if size < leastFrame || size > maxFrame {
		return 0
	}
	return size
}

// check says what is wrong with a frame of the right length.
func (f frame) check() (reason string) {
	switch seq, ok := seqOf(f.payload()); {
	case checksum(f[frameHead:]) != binary.BigEndian.Uint32(f[4:]):
		return "checksum mismatch"
	case f[frameHead] != 0:
		return "no leaf"
	case f[len(f)-1] != '\n':
		return "no end of line"
	case !ok:
		return "no sequence number"
	case seq != f.seq() || seq == 0:
		return "two sequence numbers"
	}
	return ""
}

// seqOf reads the number that every record begins with, without decoding it.
func seqOf(raw []byte) (uint64, bool) {
	rest, ok := bytes.CutPrefix(raw, []byte(`{"seq":`))
	if !ok {
		return 0, false
	}
	end := bytes.IndexAny(rest[:min(len(rest), 24)], ",}")
	if end < 0 {
		return 0, false
	}
	seq, err := strconv.ParseUint(string(rest[:end]), 10, 64)
	return seq, err == nil
}

// frames reads frames one after the other, in bounded memory.
type frames struct {
	r      io.Reader
	offset int64 // of the next frame
	start  int64 // of the frame last returned
	buf    []byte
}

// next returns a frame, valid until the call after. It ends with io.EOF, with
// errTorn where the input ends within a frame, or with a [badFrame], behind
// which nothing can be read.
func (f *frames) next() (frame, error) {
	f.start = f.offset
	var head [frameHead]byte
	switch _, err := io.ReadFull(f.r, head[:]); {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return nil, errTorn
	case err != nil:
		return nil, err
	}
	size := frameSize(head[:])
	if size == 0 {
		return nil, badFrame("no frame")
	}
	if cap(f.buf) < size || cap(f.buf) > 1<<20 && size < 1<<16 {
		f.buf = make([]byte, max(size, 4<<10))
	}
	fr := frame(f.buf[:size])
	copy(fr, head[:])
	switch _, err := io.ReadFull(f.r, fr[frameHead:]); {
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return nil, errTorn
	case err != nil:
		return nil, err
	}
	if reason := fr.check(); reason != "" {
		return nil, badFrame(reason)
	}
	f.offset += int64(size)
	return fr, nil
}

// badFrame is why bytes are no frame.
type badFrame string

func (e badFrame) Error() string { return string(e) }

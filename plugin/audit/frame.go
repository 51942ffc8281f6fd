package audit

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strconv"

	"github.com/phigate/phigate/policy"
)

// A frame is one line of the log: the CRC-32C of the record's JSON in eight hex
// digits, a space, the JSON, a newline. JSON holds no raw newline, so the log
// can be read with grep and jq; the checksum tells a torn or a flipped line
// from a record. It is no proof against a person: whoever can write the file
// can write a checksum.
const (
	crcDigits = 8
	prefix    = crcDigits + 1
	// maxFrame bounds one line, in bytes. policy.MaxRecorded keeps a decision
	// far below it.
	maxFrame = 64 << 20
)

// errTorn is the end of a file that stops within a frame.
var errTorn = errors.New("the last record is torn")

// DamageError says where a log stops being readable.
type DamageError struct {
	Path   string
	Offset int64  // of the first damaged byte's line
	After  uint64 // the last record before it, 0 when none
	Reason string
}

func (e *DamageError) Error() string {
	return fmt.Sprintf("reading decision log %s: damaged at byte %d, after record %d: %s", e.Path, e.Offset, e.After, e.Reason)
}

// appendFrame adds the record's frame to buf.
func appendFrame(buf []byte, d *policy.Decision) ([]byte, error) {
	start := len(buf)
	b := bytes.NewBuffer(append(buf, "00000000 "...))
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(d); err != nil { // ends with the newline
		return buf, fmt.Errorf("encoding record: %w", err)
	}
	buf = b.Bytes()
	frame := buf[start:]
	if len(frame) > maxFrame {
		return buf[:start], fmt.Errorf("encoding record: %d bytes, the limit is %d", len(frame), maxFrame)
	}
	sum := crc32.Checksum(frame[prefix:len(frame)-1], crc32.MakeTable(crc32.Castagnoli))
	hex.Encode(frame, []byte{byte(sum >> 24), byte(sum >> 16), byte(sum >> 8), byte(sum)})
	return buf, nil
}

// parseFrame checks a line without its newline and returns the JSON.
func parseFrame(line []byte) (raw []byte, seq uint64, reason string) {
	if len(line) < prefix || line[crcDigits] != ' ' {
		return nil, 0, "no frame"
	}
	var sum [crcDigits / 2]byte
	if _, err := hex.Decode(sum[:], line[:crcDigits]); err != nil {
		return nil, 0, "no frame"
	}
	raw = line[prefix:]
	want := uint32(sum[0])<<24 | uint32(sum[1])<<16 | uint32(sum[2])<<8 | uint32(sum[3])
	if crc32.Checksum(raw, crc32.MakeTable(crc32.Castagnoli)) != want {
		return nil, 0, "checksum mismatch"
	}
	seq, ok := seqOf(raw)
	if !ok {
		return nil, 0, "no sequence number"
	}
	return raw, seq, ""
}

// seqOf reads the number that every record begins with, without decoding it.
func seqOf(raw []byte) (uint64, bool) {
	rest, ok := bytes.CutPrefix(raw, []byte(`{"seq":`))
	if !ok {
		return 0, false
	}
	digits, _, ok := bytes.Cut(rest[:min(len(rest), 24)], []byte(","))
	if !ok {
		return 0, false
	}
	seq, err := strconv.ParseUint(string(digits), 10, 64)
	return seq, err == nil && seq > 0
}

// frames reads a log line by line, in bounded memory.
type frames struct {
	path   string
	r      *bufio.Reader
	offset int64 // of the next line
	start  int64 // of the line last returned
	last   uint64
	buf    []byte
}

func newFrames(path string, r io.Reader, offset int64) *frames {
	return &frames{path: path, r: bufio.NewReaderSize(r, 64<<10), offset: offset}
}

// next returns a record's JSON, valid until the call after. It ends with
// io.EOF, with errTorn where the file ends within a line, or with a
// *DamageError, after which next goes on with the following line.
func (f *frames) next() (raw []byte, seq uint64, err error) {
	line, err := f.line()
	if err != nil {
		return nil, 0, err
	}
	if line == nil {
		return nil, 0, f.damaged("line too long")
	}
	raw, seq, reason := parseFrame(line)
	if reason != "" {
		return nil, 0, f.damaged(reason)
	}
	if f.last != 0 && seq != f.last+1 {
		err := f.damaged(fmt.Sprintf("record %d follows", seq))
		f.last = seq
		return nil, 0, err
	}
	f.last = seq
	return raw, seq, nil
}

// damaged also forgets the last record, so that reading can go on behind it.
func (f *frames) damaged(reason string) error {
	err := &DamageError{Path: f.path, Offset: f.start, After: f.last, Reason: reason}
	f.last = 0
	return err
}

// line returns the next line without its newline; nil when it is too long.
func (f *frames) line() ([]byte, error) {
	f.start, f.buf = f.offset, f.buf[:0]
	size := 0
	for {
		part, err := f.r.ReadSlice('\n')
		f.offset += int64(len(part))
		size += len(part)
		if size <= maxFrame {
			f.buf = append(f.buf, part...)
		}
		switch {
		case err == nil && size > maxFrame:
			return nil, nil
		case err == nil:
			return f.buf[:len(f.buf)-1], nil
		case errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF) && size == 0:
			return nil, io.EOF
		case errors.Is(err, io.EOF):
			return nil, errTorn
		default:
			return nil, fmt.Errorf("reading decision log %s: %w", f.path, err)
		}
	}
}

// decode reads a record's JSON.
func decode(raw []byte) (*policy.Decision, error) {
	d := new(policy.Decision)
	if err := json.Unmarshal(raw, d); err != nil {
		return nil, fmt.Errorf("decoding record: %w", err)
	}
	return d, nil
}

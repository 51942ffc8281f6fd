package attacks

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// The layout of the log, by the text of package audit: a forger has read it.
const (
	block     = 4096 // a segment's first line; head is two
	seqAt     = 9
	epochAt   = 17
	macAt     = 25
	payloadAt = 57

	lastOfBatch = 1 << 63
)

// header is a segment's first line.
type header struct {
	Format string      `json:"format"`
	Log    string      `json:"log"`
	First  uint64      `json:"first"`
	Epoch  uint64      `json:"epoch"`
	Edge   []tlog.Hash `json:"edge"`
}

// head is where the log ends.
type head struct {
	Format     string      `json:"format"`
	Generation uint64      `json:"generation"`
	Log        string      `json:"log"`
	Segment    uint64      `json:"segment"`
	Seq        uint64      `json:"seq"`
	Size       int         `json:"size"`
	Time       time.Time   `json:"time"`
	Epoch      uint64      `json:"epoch"`
	Key        []byte      `json:"key"`
	Edge       []tlog.Hash `json:"edge"`
}

// forger makes logs out of what is found on the node.
type forger struct {
	dir    string
	header header
	frames [][]byte
	head   head // with the key of the next batch
	signer note.Signer
}

func readForger(dir string) (*forger, error) {
	f := &forger{dir: dir}
	segment, err := os.ReadFile(f.path(segmentName(1)))
	if err != nil {
		return nil, err
	}
	heads, err := os.ReadFile(f.path("head"))
	if err != nil {
		return nil, err
	}
	skey, err := os.ReadFile(f.path("signer.key"))
	if err != nil {
		return nil, err
	}
	if f.signer, err = note.NewSigner(strings.TrimSpace(string(skey))); err != nil {
		return nil, err
	}
	for ; len(heads) >= block; heads = heads[block:] {
		var h head
		if json.Unmarshal(heads[8:block], &h) == nil && h.Generation > f.head.Generation {
			f.head = h
		}
	}
	for rest := segment[block:]; len(rest) > 0; {
		size := 8 + binary.BigEndian.Uint32(rest)
		f.frames = append(f.frames, rest[:size])
		rest = rest[size:]
	}
	return f, json.Unmarshal(segment[8:block], &f.header)
}

func (f *forger) path(name string) string { return filepath.Join(f.dir, name) }

func segmentName(first uint64) string { return fmt.Sprintf("%020d.log", first) }

// line is a block of JSON with its checksum before it.
func line(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // our own types
	}
	b := bytes.Repeat([]byte(" "), block)
	copy(b[9:], text)
	b[block-1] = '\n'
	copy(b, fmt.Sprintf("%08x", crc32.Checksum(b[8:], crc32.MakeTable(crc32.Castagnoli))))
	return b
}

// sum makes a frame's checksum anew.
func sum(frame []byte) []byte {
	binary.BigEndian.PutUint32(frame[4:], crc32.Checksum(frame[8:], crc32.MakeTable(crc32.Castagnoli)))
	return frame
}

// frame is a record's, with the mac of another or one made with a key.
func frame(seq, epoch uint64, payload, mac, key []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(payloadAt-8+len(payload)))
	b = append(b, make([]byte, payloadAt-4)...)
	binary.BigEndian.PutUint64(b[seqAt:], seq)
	binary.BigEndian.PutUint64(b[epochAt:], epoch|lastOfBatch)
	if key != nil {
		m := hmac.New(sha256.New, key)
		m.Write(b[seqAt:macAt])
		m.Write(payload)
		mac = m.Sum(nil)
	}
	copy(b[macAt:], mac)
	return sum(append(b, payload...))
}

// move changes the segment's bytes and nothing else.
func (f *forger) move(steps []step, resum bool) error {
	out := line(f.header)
	for _, s := range steps {
		fr := f.frames[s.of]
		if s.change != nil {
			fr = append(bytes.Clone(fr[:payloadAt]), s.change(fr[payloadAt:])...)
			if resum {
				sum(fr)
			}
		}
		out = append(out, fr...)
	}
	return os.WriteFile(f.path(segmentName(1)), out, 0o600)
}

// rewrite makes the log anew out of records: with the macs that they had, or with
// the key that is on the node, and then with a checkpoint, too. The checkpoint
// that was there goes: without the signing key nobody makes another.
func (f *forger) rewrite(payloads [][]byte, steps []step, withKeys bool) error {
	f.frames = f.macced(payloads, steps, withKeys)
	f.head.Epoch = f.header.Epoch + uint64(len(f.frames))
	if err := f.write(); err != nil || !withKeys {
		return err
	}
	return f.sign()
}

func (f *forger) macced(payloads [][]byte, steps []step, withKeys bool) (out [][]byte) {
	for i, payload := range payloads {
		old, key := f.frames[steps[i].of], []byte(nil)
		if untouched := steps[i].of == i && steps[i].change == nil; withKeys && !untouched {
			key = f.head.Key
		}
		payload = append(bytes.TrimSuffix(payload, []byte("\n")), '\n')
		out = append(out, frame(uint64(i+1), f.header.Epoch+uint64(i), payload, old[macAt:payloadAt], key))
	}
	return out
}

// prune takes the oldest records off, as phigated does with a segment that it has
// archived: the first line of what is left tells of their tree.
func (f *forger) prune(records int) error {
	edge := edgeOf(nil, f.frames[:records])
	if err := os.Remove(f.path(segmentName(1))); err != nil {
		return err
	}
	f.header.First, f.header.Edge = uint64(records+1), edge
	f.header.Epoch += uint64(records)
	f.frames = f.frames[records:]
	checkpoint, err := os.ReadFile(f.path("checkpoint"))
	if err != nil {
		return err
	}
	return errors.Join(f.write(), os.WriteFile(f.path("checkpoint"), checkpoint, 0o600))
}

// write puts segment and head down, and takes away what was derived from them.
func (f *forger) write() error {
	out := line(f.header)
	for _, fr := range f.frames {
		out = append(out, fr...)
	}
	f.head.Segment, f.head.Seq, f.head.Size = f.header.First, f.header.First-1+uint64(len(f.frames)), len(out)
	f.head.Edge = f.edge()
	f.head.Generation++
	errs := []error{
		os.WriteFile(f.path(segmentName(f.header.First)), out, 0o600),
		os.WriteFile(f.path("head"), append(line(f.head), line(f.head)...), 0o600),
	}
	for _, name := range []string{"hashes", "checkpoint"} {
		errs = append(errs, os.Remove(f.path(name)))
	}
	return errors.Join(errs...)
}

// sign makes a checkpoint with the node's signing key.
func (f *forger) sign() error {
	edge := f.edge()
	root := edge[len(edge)-1]
	for i := len(edge) - 2; i >= 0; i-- {
		root = tlog.NodeHash(edge[i], root)
	}
	signed, err := note.Sign(&note.Note{Text: fmt.Sprintf("%s\n%d\n%s\n", f.header.Log, f.head.Seq, root)}, f.signer)
	if err != nil {
		return err
	}
	return os.WriteFile(f.path("checkpoint"), signed, 0o600)
}

func (f *forger) edge() []tlog.Hash { return edgeOf(&f.header, f.frames) }

// edgeOf is the right edge of the tree, behind what a header tells of.
func edgeOf(h *header, frames [][]byte) []tlog.Hash {
	var edge []tlog.Hash
	size := uint64(0)
	if h != nil {
		edge, size = append(edge, h.Edge...), h.First-1
	}
	for _, fr := range frames {
		hash := tlog.Hash(sha256.Sum256(fr[8:]))
		for n := size; n&1 == 1; n >>= 1 {
			hash = tlog.NodeHash(edge[len(edge)-1], hash)
			edge = edge[:len(edge)-1]
		}
		edge = append(edge, hash)
		size++
	}
	return edge
}

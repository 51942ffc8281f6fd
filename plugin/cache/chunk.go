package cache

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/phigate/phigate/plugin/rootfs"
)

// Name is one entry of a layer's path index.
type Name struct {
	Path   string // absolute within the layer, raw bytes
	Kind   rootfs.Kind
	Mode   uint32
	Size   int64
	Link   string
	Opaque bool
}

// A chunk holds neighbouring names, each as: length of the prefix that it
// shares with the one before, length of the rest, the rest, flags (kind in the
// low bits, then opaque, then whether a link follows), mode, size, link.
const (
	chunkNames = 64
	chunkBytes = 32 << 10

	flagKind   = 0x0f
	flagOpaque = 0x10
	flagLink   = 0x20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func checksum(key, value []byte) uint32 {
	return crc32.Update(crc32.Checksum(key, castagnoli), castagnoli, value)
}

// seal appends the checksum over key and value.
func seal(key, value []byte) []byte {
	return binary.LittleEndian.AppendUint32(value, checksum(key, value))
}

// unseal checks and cuts it.
func unseal(key, sealed []byte) ([]byte, error) {
	n := len(sealed) - 4
	if n < 0 || binary.LittleEndian.Uint32(sealed[n:]) != checksum(key, sealed[:n]) {
		return nil, fmt.Errorf("%w: checksum differs", ErrCorrupt)
	}
	return sealed[:n], nil
}

// sortKey orders paths as a walk does, folder by folder: '/' becomes the
// lowest byte, NUL, which no path holds.
func sortKey(path string) []byte {
	key := []byte(path)
	for i, c := range key {
		if c == '/' {
			key[i] = 0
		}
	}
	return key
}

// compare orders paths by their sort keys.
func compare(a, b string) int { return comparePath(a, b) }

func comparePath[A, B string | []byte](a A, b B) int {
	n := min(len(a), len(b))
	for i := range n {
		x, y := a[i], b[i]
		if x == y {
			continue
		}
		if x == '/' {
			return -1
		}
		if y == '/' {
			return 1
		}
		return int(x) - int(y)
	}
	return len(a) - len(b)
}

// chunk is one chunk being built.
type chunk struct {
	first string
	last  string
	n     int
	buf   []byte
}

func (c *chunk) full() bool { return c.n >= chunkNames || len(c.buf) >= chunkBytes }

func (c *chunk) add(n Name) {
	if c.n == 0 {
		c.first, c.last = n.Path, ""
	}
	c.buf = appendName(c.buf, c.last, n)
	c.last = n.Path
	c.n++
}

func appendName(buf []byte, last string, n Name) []byte {
	shared := 0
	for shared < len(last) && shared < len(n.Path) && last[shared] == n.Path[shared] {
		shared++
	}
	flags := byte(n.Kind) & flagKind
	if n.Opaque {
		flags |= flagOpaque
	}
	if n.Link != "" {
		flags |= flagLink
	}
	buf = binary.AppendUvarint(buf, uint64(shared))
	buf = binary.AppendUvarint(buf, uint64(len(n.Path)-shared))
	buf = append(buf, n.Path[shared:]...)
	buf = append(buf, flags)
	buf = binary.AppendUvarint(buf, uint64(n.Mode))
	buf = binary.AppendUvarint(buf, uint64(n.Size))
	if n.Link != "" {
		buf = binary.AppendUvarint(buf, uint64(len(n.Link)))
		buf = append(buf, n.Link...)
	}
	return buf
}

// eachName decodes a chunk until fn returns false; the path is valid during
// the call only. A chunk that passed its checksum and does not decode is damage
// all the same.
func eachName(buf []byte, fn func(path []byte, n *Name) bool) error {
	d := decoder{buf: buf}
	var path []byte
	var n Name
	for len(d.buf) > 0 && !d.bad {
		shared := d.uint()
		if shared > uint64(len(path)) {
			d.bad = true
			break
		}
		path = append(path[:shared], d.bytes(d.uint())...)
		flags := d.byte()
		n = Name{Kind: rootfs.Kind(flags & flagKind), Opaque: flags&flagOpaque != 0, Mode: uint32(d.uint()), Size: int64(d.uint())}
		if flags&flagLink != 0 {
			n.Link = string(d.bytes(d.uint()))
		}
		if !d.bad && !fn(path, &n) {
			return nil
		}
	}
	if d.bad {
		return fmt.Errorf("%w: names do not decode", ErrCorrupt)
	}
	return nil
}

type decoder struct {
	buf []byte
	bad bool
}

func (d *decoder) uint() uint64 {
	v, n := binary.Uvarint(d.buf)
	if n <= 0 {
		d.bad, d.buf = true, nil
		return 0
	}
	d.buf = d.buf[n:]
	return v
}

func (d *decoder) byte() byte {
	b := d.bytes(1)
	if len(b) == 0 {
		return 0
	}
	return b[0]
}

func (d *decoder) bytes(n uint64) []byte {
	if n > uint64(len(d.buf)) {
		d.bad, d.buf = true, nil
		return nil
	}
	out := d.buf[:n]
	d.buf = d.buf[n:]
	return out
}

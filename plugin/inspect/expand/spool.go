package expand

import (
	"bytes"
	"cmp"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// Bounds on copies of nested files, those of one expansion together.
const (
	maxMemory = 16 << 20
	maxDisk   = 4 << 30
	pieceSize = 256 << 10
)

// pieces is a copy of a nested file, for formats that are read back and forth.
type pieces struct {
	x      *expansion
	size   int64
	memory [][]byte  // each of pieceSize
	disk   *os.File  // what follows these
	onDisk int64     // bytes
	rest   io.Reader // set when it does not fit: the whole file, to be read once
	err    error     // why the nested file could not be read to its end
}

// copy copies a nested file to memory, and the rest to a temporary file.
func (x *expansion) copy(r io.Reader) *pieces {
	c := &pieces{x: x}
	for c.err == nil && x.memory+pieceSize <= maxMemory {
		c.err = c.keep(c.piece(r))
	}
	if c.err == nil {
		c.err = c.spill(r)
	}
	if c.err == io.EOF || c.err == io.ErrUnexpectedEOF { // of ReadFull; a cut file is a fault
		c.err = nil
	}
	return c
}

// piece reads the next bytes.
func (c *pieces) piece(r io.Reader) ([]byte, int, error) {
	buf := c.x.tools.pieces.get(func() []byte { return make([]byte, pieceSize) })
	n, err := io.ReadFull(r, buf)
	return buf, n, err
}

func (c *pieces) keep(buf []byte, n int, err error) error {
	c.memory = append(c.memory, buf)
	c.x.memory += pieceSize
	c.size += int64(n)
	return err
}

// spill writes what follows to a file that has no name.
func (c *pieces) spill(r io.Reader) error {
	buf, n, err := c.piece(r)
	defer c.x.tools.pieces.put(buf)
	for ; n > 0; n, err = io.ReadFull(r, buf) {
		if !c.write(buf[:n]) {
			c.rest = io.MultiReader(io.NewSectionReader(c, 0, c.size), bytes.NewReader(bytes.Clone(buf[:n])), r)
			return nil
		}
		if err != nil {
			break
		}
	}
	return err
}

func (c *pieces) write(p []byte) bool {
	if c.disk == nil {
		if c.disk = unnamed(c.x.lim.Spool); c.disk == nil {
			return false
		}
	}
	if c.x.disk+int64(len(p)) > maxDisk {
		return false
	}
	if _, err := c.disk.WriteAt(p, c.onDisk); err != nil {
		return false
	}
	c.onDisk += int64(len(p))
	c.x.disk += int64(len(p))
	c.size += int64(len(p))
	return true
}

// unnamed makes a file that nobody else can open and that is gone with the
// process; nil when there is no room for one.
func unnamed(folder string) *os.File {
	if folder == "" {
		return nil
	}
	fd, err := unix.Open(folder, unix.O_TMPFILE|unix.O_RDWR|unix.O_EXCL|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return nil
	}
	return os.NewFile(uintptr(fd), "spooled")
}

// ReadAt implements [io.ReaderAt].
func (c *pieces) ReadAt(p []byte, off int64) (n int, err error) {
	if off < 0 {
		return 0, io.EOF
	}
	for n < len(p) && off < c.size {
		got := 0
		if i := off / pieceSize; i < int64(len(c.memory)) {
			end := min(pieceSize, c.size-i*pieceSize)
			got = copy(p[n:], c.memory[i][off%pieceSize:end])
		} else {
			start := off - int64(len(c.memory))*pieceSize
			got, err = c.disk.ReadAt(p[n:n+int(min(int64(len(p)-n), c.size-off))], start)
		}
		if n, off = n+got, off+int64(got); got == 0 {
			return n, cmp.Or(err, io.ErrUnexpectedEOF)
		}
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// free gives the memory back.
func (c *pieces) free() {
	for _, p := range c.memory {
		c.x.tools.pieces.put(p)
	}
	c.x.memory -= int64(len(c.memory)) * pieceSize
	c.x.disk -= c.onDisk
	c.memory = nil
	if c.disk != nil {
		c.disk.Close()
	}
}

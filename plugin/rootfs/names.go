package rootfs

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"

	"golang.org/x/sys/unix"
)

// Memory for names over all folders that are open at one time. A folder that
// does not fit into its share is read in several passes, each giving the next
// names in order.
const (
	namesBudget = 48 << 20
	namesFloor  = 16 << 10
	namesPasses = 64
)

var errTooManyNames = errors.New("too many names in one folder")

// listing is the sorted names of a folder, or the next part of them, packed:
// each name ends with a NUL in the arena.
type listing struct {
	arena  []byte
	starts []uint32
	next   int
	more   bool   // names greater than the last were left for another pass
	last   []byte // the last name handed out before this pass
	passes int
}

func (l *listing) cost() int { return len(l.arena) + 4*len(l.starts) }

func (l *listing) at(start uint32) []byte {
	name := l.arena[start:]
	return name[:bytes.IndexByte(name, 0)]
}

func (l *listing) sort() {
	slices.SortFunc(l.starts, func(a, b uint32) int { return bytes.Compare(l.at(a), l.at(b)) })
}

// name returns the next name, nil when this pass has no more of them.
func (l *listing) name() []byte {
	if l.next >= len(l.starts) {
		return nil
	}
	l.next++
	return l.at(l.starts[l.next-1])
}

// fill reads the folder's names greater than the last ones, at most budget
// bytes of them. The buffer is used during the call only.
func (l *listing) fill(fd int, budget int, buf []byte) error {
	if l.passes++; l.passes > namesPasses {
		return errTooManyNames
	}
	if n := len(l.starts); n > 0 {
		l.last = bytes.Clone(l.at(l.starts[n-1]))
	}
	l.arena, l.starts, l.next, l.more = l.arena[:0], l.starts[:0], 0, false
	if _, err := unix.Seek(fd, 0, unix.SEEK_SET); err != nil {
		return err
	}
	var bound []byte // names above it wait for another pass
	for {
		n, err := unix.ReadDirent(fd, buf)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return err
		}
		if n <= 0 {
			break
		}
		eachName(buf[:n], func(name []byte) {
			if l.last != nil && bytes.Compare(name, l.last) <= 0 {
				return
			}
			if bound != nil && bytes.Compare(name, bound) > 0 {
				l.more = true
				return
			}
			l.starts = append(l.starts, uint32(len(l.arena)))
			l.arena = append(append(l.arena, name...), 0)
			if l.cost() > budget && len(l.starts) > 1 {
				bound = l.halve()
			}
		})
	}
	l.sort()
	return nil
}

// halve keeps the lower half of the names and returns the last of them.
func (l *listing) halve() []byte {
	l.sort()
	kept := l.starts[:(len(l.starts)+1)/2]
	arena := make([]byte, 0, cap(l.arena))
	for i, start := range kept {
		name := l.at(start)
		kept[i] = uint32(len(arena))
		arena = append(append(arena, name...), 0)
	}
	l.arena, l.starts, l.more = arena, kept, true
	return bytes.Clone(l.at(kept[len(kept)-1]))
}

// eachName parses struct linux_dirent64 records (getdents64(2)): inode and
// offset of 8 bytes each, length of 2, type of 1, then the name with its NUL.
func eachName(buf []byte, fn func(name []byte)) {
	for len(buf) > 19 {
		size := int(binary.NativeEndian.Uint16(buf[16:]))
		if size < 19 || size > len(buf) {
			return
		}
		name := buf[19:size]
		if i := bytes.IndexByte(name, 0); i >= 0 {
			name = name[:i]
		}
		buf = buf[size:]
		if s := string(name); s != "." && s != ".." && s != "" {
			fn(name)
		}
	}
}

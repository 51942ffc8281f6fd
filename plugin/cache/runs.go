package cache

import (
	"bufio"
	"container/heap"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"slices"
)

// runs sorts names that come out of order: what fills the memory is sorted and
// written to a nameless file, and all runs are merged in the end.
type runs struct {
	dir  string
	mem  []Name
	size int
	file *os.File
	ends []int64 // of each run in the file
}

func (r *runs) add(n Name) error {
	r.mem = append(r.mem, n)
	r.size += len(n.Path) + len(n.Link) + 96 // the value itself, and the allocator's rounding
	if r.size < spillBytes {
		return nil
	}
	return r.spill()
}

func (r *runs) sort() {
	slices.SortStableFunc(r.mem, func(a, b Name) int { return compare(a.Path, b.Path) })
}

func (r *runs) spill() error {
	if r.file == nil {
		f, err := os.CreateTemp(r.dir, "phigate-names-*")
		if err != nil {
			return fmt.Errorf("sorting names: %w", err)
		}
		os.Remove(f.Name()) // the open file lives on
		r.file = f
	}
	r.sort()
	out := bufio.NewWriterSize(r.file, 256<<10)
	var buf []byte
	for _, n := range r.mem {
		body := appendName(nil, "", n)
		buf = append(binary.AppendUvarint(buf[:0], uint64(len(body))), body...)
		if _, err := out.Write(buf); err != nil {
			return fmt.Errorf("sorting names: %w", err)
		}
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("sorting names: %w", err)
	}
	end, err := r.file.Seek(0, io.SeekCurrent)
	if err != nil {
		return fmt.Errorf("sorting names: %w", err)
	}
	r.ends = append(r.ends, end)
	r.mem, r.size = r.mem[:0], 0
	return nil
}

// merge gives all names in order to fn: first those of the layer that was
// written in order, then the runs'; of the same path in the order they came.
func (r *runs) merge(first *Layer, fn func(Name) error) error {
	r.sort()
	h := &sources{}
	sources := []func() (Name, bool, error){pull(first)}
	start := int64(0)
	for _, end := range r.ends {
		sources = append(sources, readRun(io.NewSectionReader(r.file, start, end-start)))
		start = end
	}
	sources = append(sources, fromSlice(r.mem))
	for i, next := range sources {
		if err := h.advance(source{order: i, next: next}); err != nil {
			return err
		}
	}
	for h.Len() > 0 {
		s := heap.Pop(h).(source)
		if err := fn(s.name); err != nil {
			return err
		}
		if err := h.advance(s); err != nil {
			return err
		}
	}
	return nil
}

func (r *runs) close() {
	if r == nil {
		return
	}
	if r.file != nil {
		r.file.Close()
		r.file = nil
	}
	r.mem = nil
}

// source is one sorted sequence of names with its next one.
type source struct {
	order int
	name  Name
	next  func() (Name, bool, error)
}

// sources is a heap by name, then by order.
type sources []source

func (s sources) Len() int { return len(s) }
func (s sources) Less(i, j int) bool {
	if c := compare(s[i].name.Path, s[j].name.Path); c != 0 {
		return c < 0
	}
	return s[i].order < s[j].order
}
func (s sources) Swap(i, j int) { s[i], s[j] = s[j], s[i] }
func (s *sources) Push(x any)   { *s = append(*s, x.(source)) }
func (s *sources) Pop() any {
	old := *s
	last := old[len(old)-1]
	*s = old[:len(old)-1]
	return last
}

// advance puts a source back with its next name, unless it has ended.
func (s *sources) advance(src source) error {
	name, ok, err := src.next()
	if err != nil || !ok {
		return err
	}
	src.name = name
	heap.Push(s, src)
	return nil
}

func fromSlice(names []Name) func() (Name, bool, error) {
	return func() (Name, bool, error) {
		if len(names) == 0 {
			return Name{}, false, nil
		}
		n := names[0]
		names = names[1:]
		return n, true, nil
	}
}

func readRun(in io.Reader) func() (Name, bool, error) {
	r := bufio.NewReaderSize(in, 64<<10)
	var buf []byte
	return func() (n Name, ok bool, err error) {
		size, err := binary.ReadUvarint(r)
		if err == io.EOF {
			return Name{}, false, nil
		}
		if err != nil {
			return Name{}, false, err
		}
		buf = slices.Grow(buf[:0], int(size))[:size]
		if _, err := io.ReadFull(r, buf); err != nil {
			return Name{}, false, err
		}
		err = eachName(buf, func(path []byte, got *Name) bool {
			n, ok = *got, true
			n.Path = string(path)
			return false
		})
		return n, ok, err
	}
}

// pull turns a layer's pages into a sequence.
func pull(l *Layer) func() (Name, bool, error) {
	var names []Name
	var from []byte
	after, ended := false, false
	return func() (Name, bool, error) {
		for len(names) == 0 && !ended {
			page, last, err := l.page(from, after)
			if err != nil {
				return Name{}, false, err
			}
			from, after, ended = last, true, last == nil
			for _, c := range page {
				err := eachName(c, func(path []byte, n *Name) bool {
					n.Path = string(path)
					names = append(names, *n)
					return true
				})
				if err != nil {
					return Name{}, false, err
				}
			}
		}
		if len(names) == 0 {
			return Name{}, false, nil
		}
		n := names[0]
		names = names[1:]
		return n, true, nil
	}
}

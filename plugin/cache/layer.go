package cache

import (
	"bytes"
	"encoding/gob"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"go.etcd.io/bbolt"

	"github.com/phigate/phigate/policy"
)

// Facts are what a scan found out about a layer, besides its names.
type Facts struct {
	Findings []policy.Finding
	Skipped  []policy.Skipped
	Coverage policy.Coverage
	People   []byte // whom the findings are about: a set of package people, in its binary form
	Software []byte // what its files name as installed, in package inspect's form
}

// header is Facts as they are stored: gob keeps paths that are not UTF-8 as
// they are.
type header struct {
	Facts  Facts
	Names  int64
	Chunks int
}

func readHeader(layer *bbolt.Bucket) (*header, error) {
	raw, err := unseal(keyFacts, layer.Get(keyFacts))
	if err != nil {
		return nil, err
	}
	var h header
	if err := gob.NewDecoder(bytes.NewReader(raw)).Decode(&h); err != nil {
		return nil, fmt.Errorf("%w: %v", ErrCorrupt, err)
	}
	return &h, nil
}

// Layer is what is known of one layer. It answers from the store, and with
// [ErrUnknown] once the layer was dropped.
type Layer struct {
	store *Store
	set   []byte // the bucket that it is in
	stale string
	key   string
	id    []byte
	head  *header
}

// Get returns what is known of a layer, and whether anything is. Where this
// detector set has no facts, those of the one before answer ([Layer.Stale]).
func (s *Store) Get(key string) (*Layer, bool, error) {
	gen := s.Generation()
	if l := s.recent.get(key); l != nil {
		return l, true, nil
	}
	l, size, err := s.find(s.set, key)
	if old := s.grace(); err == nil && l == nil && old != nil {
		if l, size, err = s.find(old.set, key); l != nil {
			l.stale = old.version
		}
	}
	if errors.Is(err, ErrUnknown) { // the older set was removed just now
		err = nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("looking up layer %s: %w", key, err)
	}
	if l == nil {
		return nil, false, nil
	}
	for i := range l.head.Facts.Findings {
		l.head.Facts.Findings[i].Where.Layer = key
	}
	s.recent.put(key, l, size, func() bool { return gen == s.Generation() })
	return l, true, nil
}

// find looks a layer up in one set, nil without one. It says how large its facts are.
func (s *Store) find(set []byte, key string) (l *Layer, size int, err error) {
	err = s.viewSet(set, func(keys, data *bbolt.Bucket) error {
		id := keys.Get([]byte(key))
		if id == nil {
			return nil
		}
		layer := data.Bucket(id)
		if layer == nil {
			return fmt.Errorf("%w: a key without its layer", ErrCorrupt)
		}
		head, err := readHeader(layer)
		if err != nil {
			return err
		}
		l = &Layer{store: s, set: set, key: key, id: bytes.Clone(id), head: head}
		size = len(layer.Get(keyFacts))
		return nil
	})
	return l, size, err
}

// ID names what is known: a layer that is scanned again has another, and no two
// ever have the same in one process.
func (l *Layer) ID() string { return string(l.id) }

// Facts are the layer's findings and what was skipped. They are shared: do not
// change them.
func (l *Layer) Facts() *Facts { return &l.head.Facts }

// Names is how many names the layer holds.
func (l *Layer) Names() int64 { return l.head.Names }

// pageChunks bounds the chunks that are copied in one transaction, so that no
// callback runs while the store is held.
const pageChunks = 64

// Each calls fn with the layer's names, sorted with '/' as the lowest byte,
// until it returns false.
func (l *Layer) Each(fn func(Name) bool) error { return l.each(nil, fn) }

// Under calls fn with the names below a folder, until it returns false.
func (l *Layer) Under(folder string, fn func(Name) bool) error {
	prefix := strings.TrimRight(folder, "/") + "/"
	return l.each(sortKey(prefix), func(n Name) bool {
		if strings.HasPrefix(n.Path, prefix) {
			return fn(n)
		}
		return compare(n.Path, prefix) < 0
	})
}

// each streams from the chunk that holds the key from.
func (l *Layer) each(from []byte, fn func(Name) bool) error {
	after := false
	for {
		page, last, err := l.page(from, after)
		if err != nil {
			return fmt.Errorf("reading names of layer %s: %w", l.key, err)
		}
		for _, c := range page {
			more := true
			err := eachName(c, func(path []byte, n *Name) bool {
				n.Path = string(path)
				more = fn(*n)
				return more
			})
			if err != nil || !more {
				return err
			}
		}
		if last == nil {
			return nil
		}
		from, after = last, true
	}
}

// page copies chunks that begin after the key from, or else from the one that
// holds it on. last is nil at the end.
func (l *Layer) page(from []byte, after bool) (page [][]byte, last []byte, err error) {
	err = l.view(func(names *bbolt.Bucket) error {
		c := names.Cursor()
		k, v := seek(c, from)
		if after {
			k, v = c.Next()
		}
		for ; k != nil && len(page) < pageChunks; k, v = c.Next() {
			raw, err := unseal(k, v)
			if err != nil {
				return err
			}
			page = append(page, bytes.Clone(raw))
			last = bytes.Clone(k)
		}
		if k == nil {
			last = nil
		}
		return nil
	})
	return page, last, err
}

// seek finds the chunk that holds the key, the first one where none can.
func seek(c *bbolt.Cursor, key []byte) (k, v []byte) {
	k, v = c.Seek(key)
	if k != nil && bytes.Equal(k, key) {
		return k, v
	}
	if k == nil {
		k, v = c.Last()
	} else {
		k, v = c.Prev()
	}
	if k == nil {
		return c.First()
	}
	return k, v
}

// Lookup finds one name by its exact path.
func (l *Layer) Lookup(path string) (Name, bool, error) { return l.Finder().Lookup(path) }

// Finder looks names up one after the other. It remembers where it was, so
// that names near the last one cost no access to the store. It is not safe for
// concurrent use.
func (l *Layer) Finder() *Finder { return &Finder{layer: l} }

// Finder is described at [Layer.Finder].
type Finder struct {
	layer  *Layer
	chunk  []byte
	lo, hi []byte // the chunk answers for keys in [lo, hi); nil: no bound
	loaded bool
}

// Lookup finds one name by its exact path.
func (f *Finder) Lookup(path string) (Name, bool, error) {
	key := sortKey(path)
	if !f.loaded || bytes.Compare(key, f.lo) < 0 || f.hi != nil && bytes.Compare(key, f.hi) >= 0 {
		if err := f.load(key); err != nil {
			return Name{}, false, fmt.Errorf("looking up a name in layer %s: %w", f.layer.key, err)
		}
	}
	var out Name
	found := false
	err := eachName(f.chunk, func(p []byte, n *Name) bool {
		c := comparePath(p, path)
		if c == 0 {
			out, found = *n, true
			out.Path = path
		}
		return c < 0
	})
	return out, found, err
}

// load gets the chunk that can hold the key.
func (f *Finder) load(key []byte) error {
	f.loaded = false
	err := f.layer.view(func(names *bbolt.Bucket) error {
		c := names.Cursor()
		k, v := seek(c, key)
		f.chunk, f.lo, f.hi = f.chunk[:0], nil, nil
		if k == nil {
			return nil
		}
		raw, err := unseal(k, v)
		if err != nil {
			return err
		}
		if bytes.Compare(key, k) < 0 { // before the first chunk
			f.hi = bytes.Clone(k)
			return nil
		}
		f.chunk, f.lo = append(f.chunk, raw...), bytes.Clone(k)
		if next, _ := c.Next(); next != nil {
			f.hi = bytes.Clone(next)
		}
		return nil
	})
	f.loaded = err == nil
	return err
}

func (l *Layer) view(fn func(names *bbolt.Bucket) error) error {
	return l.store.viewSet(l.set, func(_, data *bbolt.Bucket) error {
		layer := data.Bucket(l.id)
		if layer == nil {
			return ErrUnknown
		}
		names := layer.Bucket(bucketNames)
		if names == nil {
			return fmt.Errorf("%w: a layer without names", ErrCorrupt)
		}
		return fn(names)
	})
}

// recent keeps the headers that were asked for last.
type recent struct {
	mu    sync.Mutex
	order []string // least recently used first
	byKey map[string]recentLayer
	bytes int
}

type recentLayer struct {
	layer *Layer
	bytes int
}

// Bounds of what is kept; a base layer of many images stays.
const (
	recentLayers = 512
	recentBytes  = 8 << 20 // as stored; about three times that in memory
)

func (r *recent) get(key string) *Layer {
	r.mu.Lock()
	defer r.mu.Unlock()
	e, ok := r.byKey[key]
	if !ok {
		return nil
	}
	i := slices.Index(r.order, key)
	copy(r.order[i:], r.order[i+1:])
	r.order[len(r.order)-1] = key
	return e.layer
}

// put keeps a layer while valid still holds: whoever changes what a key means
// first changes the generation, then forgets the key.
func (r *recent) put(key string, l *Layer, size int, valid func() bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !valid() {
		return
	}
	if r.byKey == nil {
		r.byKey = map[string]recentLayer{}
	}
	r.remove(key)
	r.byKey[key] = recentLayer{layer: l, bytes: size}
	r.order = append(r.order, key)
	r.bytes += size
	for len(r.order) > 1 && (len(r.order) > recentLayers || r.bytes > recentBytes) {
		r.remove(r.order[0])
	}
}

func (r *recent) forget(key string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.remove(key)
}

func (r *recent) remove(key string) {
	e, ok := r.byKey[key]
	if !ok {
		return
	}
	delete(r.byKey, key)
	r.bytes -= e.bytes
	i := slices.Index(r.order, key)
	r.order = slices.Delete(r.order, i, i+1)
}

func (r *recent) clear() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.byKey, r.order, r.bytes = nil, nil, 0
}

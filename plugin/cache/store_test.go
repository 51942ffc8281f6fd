package cache

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.etcd.io/bbolt"

	"github.com/phigate/phigate/plugin/rootfs"
	"github.com/phigate/phigate/policy"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T, path, set string) (*Store, *bytes.Buffer) {
	t.Helper()
	var log bytes.Buffer
	s, err := Open(path, set, slog.New(slog.NewTextHandler(&log, nil)))
	must(t, err)
	t.Cleanup(func() { s.Close() })
	return s, &log
}

func put(t testing.TB, s *Store, key string, f Facts, names ...Name) {
	t.Helper()
	w, err := s.Begin(key)
	must(t, err)
	for _, n := range names {
		must(t, w.Add(n))
	}
	must(t, w.Commit(f))
}

func get(t *testing.T, s *Store, key string) *Layer {
	t.Helper()
	l, ok, err := s.Get(key)
	must(t, err)
	if !ok {
		t.Fatalf("layer %s is not there", key)
	}
	return l
}

func all(t *testing.T, l *Layer) []Name {
	t.Helper()
	var out []Name
	must(t, l.Each(func(n Name) bool { out = append(out, n); return true }))
	return out
}

func sampleNames(n int) []Name {
	var out []Name
	for i := range n {
		dir := fmt.Sprintf("/usr/share/d%03d", i/100)
		if i%100 == 0 {
			out = append(out, Name{Path: dir, Kind: rootfs.Directory, Mode: 0o755, Opaque: i%300 == 0})
		}
		out = append(out, Name{Path: fmt.Sprintf("%s/f%05d\xff", dir, i), Mode: 0o4644, Size: int64(i) << 20})
	}
	out = append(out, Name{Path: "/z", Kind: rootfs.Symlink, Mode: 0o777, Link: "../usr/\xfe"}, Name{Path: "/zz", Kind: rootfs.Whiteout},
		Name{Path: "/y" + strings.Repeat("/p", rootfs.MaxPath/2-1)})
	slices.SortFunc(out, func(a, b Name) int { return compare(a.Path, b.Path) })
	return out
}

func sampleFacts() Facts {
	return Facts{
		Findings: []policy.Finding{{
			Rule: "phi-table", Where: policy.Where{Path: "/data/\xff.csv", Offset: 7}, Message: "patient table", Count: 3,
			Individuals: policy.Individuals{Low: 1, Point: 2, High: 3}, Fingerprint: "00ff",
		}},
		Skipped:  []policy.Skipped{{Where: "/\xfe", Rule: "files", Reason: "permission denied", Kind: policy.Unreadable}},
		Coverage: policy.Coverage{Files: 10, Bytes: 20},
	}
}

func TestLayersAnswerWhatWasWritten(t *testing.T) {
	for _, order := range []string{"sorted", "shuffled", "reversed"} {
		t.Run(order, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "facts.db")
			s, _ := open(t, path, "1")
			want := sampleNames(5000)
			given := slices.Clone(want)
			switch order {
			case "shuffled":
				rand.Shuffle(len(given), func(i, j int) { given[i], given[j] = given[j], given[i] })
			case "reversed":
				slices.Reverse(given)
			}
			put(t, s, "layer", sampleFacts(), given...)
			for _, state := range []string{"fresh", "reopened"} {
				if state == "reopened" {
					must(t, s.Close())
					s, _ = open(t, path, "1")
				}
				l := get(t, s, "layer")
				if diff := cmp.Diff(want, all(t, l)); diff != "" {
					t.Fatalf("%s names (-want +got):\n%s", state, diff)
				}
				facts := sampleFacts()
				facts.Findings[0].Where.Layer = "layer"
				if diff := cmp.Diff(&facts, l.Facts()); diff != "" {
					t.Errorf("%s facts (-want +got):\n%s", state, diff)
				}
				for _, n := range want {
					got, ok, err := l.Lookup(n.Path)
					if err != nil || !ok || got != n {
						t.Fatalf("%s look-up of a name: found %v, %v", state, ok, err)
					}
				}
				finder := l.Finder()
				for _, i := range rand.Perm(len(want)) {
					got, ok, err := finder.Lookup(want[i].Path)
					if err != nil || !ok || got != want[i] {
						t.Fatalf("%s look-up by a finder: found %v, %v", state, ok, err)
					}
					if _, ok, err := finder.Lookup(want[i].Path + "!"); ok || err != nil {
						t.Fatalf("%s look-up of a missing name by a finder: found %v, %v", state, ok, err)
					}
				}
				for _, path := range []string{"/", "", "/a", "/usr", "/usr/share/d001/f", "/zzz", "/usr/share/d001/f00100"} {
					if _, ok, err := l.Lookup(path); ok || err != nil {
						t.Errorf("%s look-up of %q: found %v, %v", state, path, ok, err)
					}
				}
				below := 0
				must(t, l.Under("/usr/share/d007", func(n Name) bool { below++; return true }))
				if below != 100 || l.Names() != int64(len(want)) {
					t.Errorf("%s: %d below a folder, %d in all", state, below, l.Names())
				}
			}
		})
	}
}

func TestNamesThatComeTwice(t *testing.T) {
	s, err := Temporary(t.TempDir())
	must(t, err)
	defer s.Close()
	put(t, s, "k", Facts{},
		Name{Path: "/b", Size: 1}, Name{Path: "/b", Size: 2}, Name{Path: "/b", Kind: rootfs.Whiteout},
		Name{Path: "/d", Kind: rootfs.Directory, Opaque: true},
		Name{Path: "/a", Kind: rootfs.Whiteout}, Name{Path: "/a", Size: 3},
		Name{Path: "/d", Kind: rootfs.Directory, Mode: 0o700},
		Name{Path: "/b", Size: 4},
	)
	want := []Name{{Path: "/a", Size: 3}, {Path: "/b", Size: 4}, {Path: "/d", Kind: rootfs.Directory, Mode: 0o700, Opaque: true}}
	if diff := cmp.Diff(want, all(t, get(t, s, "k"))); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
}

func TestSpilledRuns(t *testing.T) {
	s, err := Temporary(t.TempDir())
	must(t, err)
	defer s.Close()
	w, err := s.Begin("k")
	must(t, err)
	must(t, w.Add(Name{Path: "/a"}))
	must(t, w.Add(Name{Path: "/m"}))
	for run := range 3 {
		for i := 999; i >= 0; i-- {
			must(t, w.Add(Name{Path: fmt.Sprintf("/f%04d", i), Size: int64(run)}))
		}
		must(t, w.runs.spill())
	}
	must(t, w.Add(Name{Path: "/a", Size: 9}))
	must(t, w.Commit(Facts{}))
	names := all(t, get(t, s, "k"))
	if len(names) != 1002 || names[0].Size != 9 || !slices.IsSortedFunc(names, func(a, b Name) int { return compare(a.Path, b.Path) }) {
		t.Fatalf("%d names, first of size %d", len(names), names[0].Size)
	}
	for _, n := range names[1 : len(names)-1] {
		if n.Size != 2 {
			t.Fatal("an earlier run won over a later one")
		}
	}
	if left, err := os.ReadDir(filepath.Dir(s.path)); err != nil || len(left) != 1 {
		t.Errorf("%d files beside the store, %v", len(left), err)
	}
}

func TestNothingOfALayerBeforeCommit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "facts.db")
	s, _ := open(t, path, "1")
	put(t, s, "kept", Facts{}, Name{Path: "/old"})
	for range 2 {
		w, err := s.Begin("kept")
		must(t, err)
		for _, n := range sampleNames(20000) {
			must(t, w.Add(n))
		}
		must(t, w.flush(nil)) // written, as when a crash follows
		if names := all(t, get(t, s, "kept")); len(names) != 1 {
			t.Fatalf("%d names before commit", len(names))
		}
	}
	w, err := s.Begin("aborted")
	must(t, err)
	must(t, w.Add(Name{Path: "/x"}))
	w.Abort()
	if w.Commit(Facts{}) == nil || w.Add(Name{Path: "/y"}) == nil {
		t.Error("an aborted writer goes on")
	}
	must(t, s.Close())
	s, _ = open(t, path, "1")
	keys, err := s.Keys()
	must(t, err)
	if diff := cmp.Diff([]string{"kept"}, keys); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
	if n := layersStored(t, s); n != 1 {
		t.Errorf("%d layers are stored: halves were not removed", n)
	}
}

func layersStored(t *testing.T, s *Store) int {
	t.Helper()
	n := 0
	must(t, s.file.db.View(func(tx *bbolt.Tx) error {
		return tx.Bucket(s.set).Bucket(bucketData).ForEachBucket(func([]byte) error { n++; return nil })
	}))
	return n
}

func TestKeysAliasesAndRetain(t *testing.T) {
	s, err := Temporary(t.TempDir())
	must(t, err)
	defer s.Close()
	put(t, s, "a", sampleFacts(), Name{Path: "/a"})
	put(t, s, "b", Facts{}, Name{Path: "/b"})
	must(t, s.Alias("c", "a"))
	if err := s.Alias("d", "none"); !errors.Is(err, ErrUnknown) {
		t.Errorf("alias of nothing: %v", err)
	}
	if l := get(t, s, "c"); l.Facts().Findings[0].Where.Layer != "c" || get(t, s, "a").Facts().Findings[0].Where.Layer != "a" {
		t.Error("a finding names the layer by another key")
	}
	generation := s.Generation()
	dropped, err := s.Retain(map[string]bool{"c": true})
	must(t, err)
	if dropped != 2 || s.Generation() == generation {
		t.Errorf("dropped %d", dropped)
	}
	if names := all(t, get(t, s, "c")); len(names) != 1 || layersStored(t, s) != 1 {
		t.Errorf("alias outlives its origin: %d names, %d layers", len(names), layersStored(t, s))
	}
	if _, ok, err := s.Get("a"); ok || err != nil {
		t.Errorf("dropped key: %v, %v", ok, err)
	}
	held := get(t, s, "c")
	must(t, s.Drop("c"))
	must(t, s.Drop("c"))
	if err := held.Each(func(Name) bool { return true }); !errors.Is(err, ErrUnknown) {
		t.Errorf("names of a dropped layer: %v", err)
	}
	if layersStored(t, s) != 0 {
		t.Error("dropped layers are still stored")
	}
}

func TestOtherDetectorSetsAreRemoved(t *testing.T) {
	path := filepath.Join(t.TempDir(), "facts.db")
	s, _ := open(t, path, "1")
	put(t, s, "k", Facts{}, Name{Path: "/a"})
	must(t, s.Close())
	s, _ = open(t, path, "2")
	if _, ok, err := s.Get("k"); ok || err != nil {
		t.Errorf("facts of another set: %v, %v", ok, err)
	}
	must(t, s.Close())
	s, _ = open(t, path, "1")
	if _, ok, err := s.Get("k"); ok || err != nil {
		t.Errorf("facts came back: %v, %v", ok, err)
	}
}

func TestFileThatIsHeld(t *testing.T) {
	path := filepath.Join(t.TempDir(), "facts.db")
	open(t, path, "1")
	began := time.Now()
	_, err := Open(path, "1", slog.New(slog.DiscardHandler))
	if err == nil || !strings.Contains(err.Error(), "another process") || time.Since(began) > 5*time.Second {
		t.Errorf("got %v after %s", err, time.Since(began))
	}
	if _, err := os.Stat(path + ".corrupt-1"); err == nil {
		t.Error("a file that is held was set aside")
	}
	if _, err := Open(t.TempDir(), "1", slog.New(slog.DiscardHandler)); err == nil || errors.Is(err, ErrCorrupt) {
		t.Errorf("a folder: %v", err)
	}
}

func TestTemporaryIsDeleted(t *testing.T) {
	dir := t.TempDir()
	s, err := Temporary(dir)
	must(t, err)
	put(t, s, "k", Facts{}, Name{Path: "/a"})
	must(t, s.Close())
	must(t, s.Close())
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("%d files are left, %v", len(left), err)
	}
	if _, _, err := s.Get("k"); !errors.Is(err, ErrClosed) {
		t.Errorf("after close: %v", err)
	}
}

func TestConcurrentUse(t *testing.T) {
	s, err := Temporary(t.TempDir())
	must(t, err)
	defer s.Close()
	names := sampleNames(2000)
	put(t, s, "shared", sampleFacts(), names...)
	var wg sync.WaitGroup
	for worker := range 6 {
		wg.Go(func() {
			key := fmt.Sprintf("own-%d", worker)
			for range 10 {
				w, err := s.Begin(key)
				if err != nil {
					t.Error(err)
					return
				}
				for _, n := range names {
					if err := w.Add(n); err != nil {
						t.Error(err)
					}
				}
				if err := w.Commit(sampleFacts()); err != nil {
					t.Error(err)
				}
				l, ok, err := s.Get("shared")
				if err != nil || !ok {
					t.Errorf("shared layer: %v, %v", ok, err)
					return
				}
				// Writing inside the callback must not wait for the reader.
				first := true
				err = l.Each(func(Name) bool {
					if first {
						first = false
						if err := s.Alias(key+"-alias", key); err != nil {
							t.Error(err)
						}
					}
					return true
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

func TestMillionNamesInBoundedMemory(t *testing.T) {
	const n = 1_000_000
	name := func(i int) string {
		return fmt.Sprintf("/usr/lib/node_modules/package-%04d/dist/module-%06d.js", i/1000, i)
	}
	for _, order := range []string{"sorted", "unsorted"} {
		t.Run(order, func(t *testing.T) {
			s, err := Temporary(t.TempDir())
			must(t, err)
			defer s.Close()
			runtime.GC()
			base, most := heapBytes(), int64(0)
			w, err := s.Begin("k")
			must(t, err)
			for i := range n {
				at := i
				if order == "unsorted" {
					at = (i * 7919) % n
				}
				must(t, w.Add(Name{Path: name(at), Mode: 0o644, Size: int64(at)}))
				if i%50_000 == 0 {
					most = max(most, heapBytes()-base)
				}
			}
			must(t, w.Commit(Facts{}))
			most = max(most, heapBytes()-base)
			if most > 100<<20 {
				t.Errorf("%d MiB of heap", most>>20)
			}
			l := get(t, s, "k")
			for i := 0; i < n; i += 9973 {
				got, ok, err := l.Lookup(name(i))
				if err != nil || !ok || got.Size != int64(i) {
					t.Fatalf("look-up of name %d: %v, %v", i, ok, err)
				}
			}
			if l.Names() != n {
				t.Errorf("%d names", l.Names())
			}
		})
	}
}

func heapBytes() int64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func FuzzChunk(f *testing.F) {
	var c chunk
	for _, n := range sampleNames(20) {
		c.add(n)
	}
	f.Add(c.buf)
	f.Fuzz(func(t *testing.T, data []byte) {
		n := 0
		err := eachName(data, func(path []byte, _ *Name) bool { n++; return true })
		if err == nil && n == 0 && len(data) > 0 {
			t.Error("bytes without names are no damage")
		}
	})
}

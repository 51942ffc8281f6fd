package inspect

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/phigate/phigate/plugin/cache"
	"github.com/phigate/phigate/plugin/inspect/expand"
	"github.com/phigate/phigate/plugin/rootfs"
	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/detect"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func write(t testing.TB, path, content string) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(path), 0o755))
	must(t, os.WriteFile(path, []byte(content), 0o644))
}

// hmacKeyed makes fingerprints under a key that is no secret.
func hmacKeyed(identity []byte) [16]byte {
	sum := sha256.Sum256(append([]byte("a key"), identity...))
	return [16]byte(sum[:])
}

// marker finds the word MARK, each about another person.
func marker(id string, wants func(detect.Meta) bool) detect.Detector {
	return detect.Detector{Info: policy.Info{ID: id, Title: "mark"}, Anchors: []string{"MARK"}, Near: func(h detect.Hit, s *detect.Sink) {
		if wants == nil || wants(*h.Meta) {
			s.Record(detect.Record{Off: h.Off, Has: detect.SSN | detect.Diagnosis, Keys: []detect.Key{detect.MRNKey(fmt.Append(nil, h.Meta.Path, h.Off), nil)}})
		}
	}}
}

// opener is asked for each file when its first bytes are there.
func opener(open func(detect.Meta, *detect.Sink)) detect.Detector {
	return detect.Detector{Info: policy.Info{ID: "opener"}, Open: func(m detect.Meta, s *detect.Sink) detect.Reader {
		open(m, s)
		return nil
	}}
}

func setOf(t testing.TB, detectors ...detect.Detector) *detect.Set {
	t.Helper()
	set, err := detect.NewSet(detectors)
	must(t, err)
	return set
}

func store(t testing.TB) *cache.Store {
	t.Helper()
	s, err := cache.Temporary(t.TempDir())
	must(t, err)
	t.Cleanup(func() { s.Close() })
	return s
}

// scanTree scans within a minute and commits.
func scanTree(t testing.TB, s *cache.Store, key string, tree rootfs.Tree, detectors ...detect.Detector) *cache.Facts {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	w, err := s.Begin(key)
	must(t, err)
	sc := &Scanner{Detectors: setOf(t, detectors...), Keyed: hmacKeyed, Expand: expand.Defaults(), Workers: 2}
	facts, err := sc.Scan(ctx, tree, w, nil)
	must(t, err)
	must(t, w.Commit(*facts))
	return facts
}

func paths(fs []policy.Finding) []string {
	var out []string
	for _, f := range fs {
		out = append(out, f.Where.Path)
	}
	slices.Sort(out)
	return out
}

func TestScanReadsEachRegularFile(t *testing.T) {
	d := t.TempDir()
	write(t, filepath.Join(d, "a/plain"), "..MARK..MARK")
	write(t, filepath.Join(d, "a/none"), "nothing")
	write(t, filepath.Join(d, "empty"), "")
	write(t, filepath.Join(d, "raw\xff\xfe"), "MARK")
	write(t, filepath.Join(d, "edge"), strings.Repeat("x", wholeBytes-2)+"MARK"+strings.Repeat("x", wholeBytes))
	must(t, os.Symlink("/a/plain", filepath.Join(d, "link")))
	must(t, unix.Mkfifo(filepath.Join(d, "fifo"), 0o644))
	must(t, unix.Mknod(filepath.Join(d, "zero"), unix.S_IFCHR|0o666, int(unix.Mkdev(1, 5))))
	s := store(t)
	facts := scanTree(t, s, "k", rootfs.Layer(d), marker("mark", nil))
	if diff := cmp.Diff([]string{"/a/plain", "/edge", "/raw\xff\xfe"}, paths(facts.Findings)); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	for _, f := range facts.Findings {
		if f.Rule != "mark" || f.Where.Path == "/a/plain" && (f.Count != 2 || f.Where.Offset != 2 || f.Individuals.Point != 2) ||
			f.Where.Path == "/edge" && f.Where.Offset != wholeBytes-2 {
			t.Errorf("finding: rule %s, offset %d, count %d", f.Rule, f.Where.Offset, f.Count)
		}
	}
	if len(facts.Skipped) != 0 || facts.Coverage.Files != 5 || facts.Coverage.Bytes != 12+7+4+2*wholeBytes+2 {
		t.Errorf("%d skipped, coverage %+v", len(facts.Skipped), facts.Coverage)
	}
	l, _, err := s.Get("k")
	must(t, err)
	if n, ok, err := l.Lookup("/link"); err != nil || !ok || n.Kind != rootfs.Symlink || n.Link != "/a/plain" {
		t.Errorf("link in the index: %v, %v", ok, err)
	}
}

func TestScanOfASparseTerabyte(t *testing.T) {
	d := t.TempDir()
	for name, at := range map[string]int64{"late": 1 << 39, "early": 100, "middle": 1 << 20} {
		f, err := os.Create(filepath.Join(d, name))
		must(t, err)
		must(t, f.Truncate(1<<40))
		_, err = f.WriteAt([]byte("MARK"), at)
		must(t, err)
		must(t, f.Close())
	}
	began := time.Now()
	facts := scanTree(t, store(t), "k", rootfs.Layer(d), marker("mark", nil))
	var offsets []int64
	for _, f := range facts.Findings {
		offsets = append(offsets, f.Where.Offset)
	}
	slices.Sort(offsets)
	if diff := cmp.Diff([]int64{100, 1 << 20, 1 << 39}, offsets); diff != "" {
		t.Errorf("offsets (-want +got):\n%s", diff)
	}
	if took := time.Since(began); took > 10*time.Second || len(facts.Skipped) != 0 {
		t.Errorf("took %s, %d skipped", took, len(facts.Skipped))
	}
}

// TestHardLinks: a file is read under its first names, since a name can make
// the difference, and is the same under the others.
func TestHardLinks(t *testing.T) {
	d := t.TempDir()
	write(t, filepath.Join(d, "a"), "MARK")
	names := []string{"/a"}
	for _, name := range []string{"b", "c.key", "d", "e", "f"} {
		must(t, os.Link(filepath.Join(d, "a"), filepath.Join(d, name)))
		names = append(names, "/"+name)
	}
	var reads atomic.Int32
	counted := marker("counted", func(detect.Meta) bool { reads.Add(1); return true })
	byName := marker("by-name", func(m detect.Meta) bool { return strings.HasSuffix(m.Path, ".key") })
	facts := scanTree(t, store(t), "k", rootfs.Layer(d), counted, byName)
	var got []string
	for _, f := range facts.Findings {
		got = append(got, f.Rule+" "+f.Where.Path)
	}
	slices.Sort(got)
	want := []string{"by-name /c.key"}
	for _, name := range names {
		want = append(want, "counted "+name)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	if reads.Load() != maxReads {
		t.Errorf("read %d times, want %d", reads.Load(), maxReads)
	}
}

func TestScanOfAnArchive(t *testing.T) {
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	body := strings.Repeat("x", wholeBytes+10) + "MARK"
	for _, h := range []tar.Header{
		{Name: "z", Size: int64(len(body))}, {Name: "a", Typeflag: tar.TypeLink, Linkname: "z"},
		{Name: "b", Typeflag: tar.TypeLink, Linkname: "/a"}, {Name: "b", Typeflag: tar.TypeLink, Linkname: "b"},
		{Name: "c/.wh.gone"},
	} {
		must(t, w.WriteHeader(&h))
		_, err := io.WriteString(w, body[:h.Size])
		must(t, err)
	}
	must(t, w.Close())
	whole := buf.Bytes()
	tree := func(data []byte) rootfs.Tree {
		return rootfs.Tar(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil })
	}
	s := store(t)
	facts := scanTree(t, s, "k", tree(whole), marker("mark", nil))
	if diff := cmp.Diff([]string{"/a", "/b", "/z"}, paths(facts.Findings)); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	l, _, err := s.Get("k")
	must(t, err)
	if n, ok, err := l.Lookup("/c/gone"); err != nil || !ok || n.Kind != rootfs.Whiteout {
		t.Errorf("whiteout: %v, %v", ok, err)
	}
	cw, err := s.Begin("cut")
	must(t, err)
	defer cw.Abort()
	if _, err := (&Scanner{Keyed: hmacKeyed, Detectors: setOf(t, marker("mark", nil))}).Scan(t.Context(), tree(whole[:wholeBytes]), cw, nil); err == nil {
		t.Error("a truncated archive was scanned to its end")
	}
}

func TestCrashingDetectors(t *testing.T) {
	d := t.TempDir()
	write(t, filepath.Join(d, "f"), "MARK")
	crash := func(id string, r detect.Reader) detect.Detector {
		return detect.Detector{Info: policy.Info{ID: id}, Open: func(detect.Meta, *detect.Sink) detect.Reader {
			if r == nil {
				panic("MARK in the text of a panic")
			}
			return r
		}}
	}
	facts := scanTree(t, store(t), "k", rootfs.Layer(d),
		crash("in-open", nil), crash("in-window", crashing{true}), crash("in-close", crashing{false}), marker("mark", nil))
	if len(facts.Findings) != 1 || len(facts.Skipped) != 3 {
		t.Fatalf("%d findings, %d skipped", len(facts.Findings), len(facts.Skipped))
	}
	for _, k := range facts.Skipped {
		if k.Kind != policy.Undecided || k.Reason != "detector crashed" || k.Where != "/f" || !strings.HasPrefix(k.Rule, "in-") {
			t.Errorf("skipped by %s, kind %d", k.Rule, k.Kind)
		}
	}
}

// Reading that crashes leaves its file undecided, ends no scan, and the next file is read.
func TestCrashingReading(t *testing.T) {
	d := t.TempDir()
	for _, name := range []string{"a", "b", "c"} {
		write(t, filepath.Join(d, name), "MARK")
	}
	facts := scanTree(t, store(t), "k", crashingTree{rootfs.Layer(d), "/b"}, marker("mark", nil))
	if diff := cmp.Diff([]string{"/a", "/c"}, paths(facts.Findings)); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	if len(facts.Skipped) != 1 || facts.Skipped[0].Where != "/b" || facts.Skipped[0].Kind != policy.Undecided {
		t.Errorf("%d skipped, want /b alone, undecided", len(facts.Skipped))
	}
}

// crashingTree has one file that panics when it is read.
type crashingTree struct {
	rootfs.Tree
	path string
}

func (c crashingTree) Walk(ctx context.Context, visit func(rootfs.Entry) error, unreadable func(string, error)) error {
	return c.Tree.Walk(ctx, func(e rootfs.Entry) error {
		if open := e.Open; e.Path == c.path {
			e.Open = func() (rootfs.File, error) {
				f, err := open()
				return crashingFile{f}, err
			}
		}
		return visit(e)
	}, unreadable)
}

type crashingFile struct{ rootfs.File }

func (crashingFile) ReadAt([]byte, int64) (int, error) { panic("MARK in the text of a panic") }

type crashing struct{ inWindow bool }

func (c crashing) Window(detect.Window) {
	if c.inWindow {
		panic("MARK")
	}
}
func (c crashing) Close() { panic("MARK") }

func TestFloodsAreCountedNotLost(t *testing.T) {
	d := t.TempDir()
	const n = maxFindings + 50
	for i := range n {
		write(t, filepath.Join(d, fmt.Sprintf("a%05d", i)), "MARK")
	}
	write(t, filepath.Join(d, "z.key"), "MARK")
	noisy := opener(func(_ detect.Meta, s *detect.Sink) { s.Skip("not understood") })
	late := marker("late", func(m detect.Meta) bool { return m.Path == "/z.key" })
	facts := scanTree(t, store(t), "k", rootfs.Layer(d), marker("mark", nil), late, noisy)
	people, listed, lates := 0, 0, 0
	for _, f := range facts.Findings {
		people += f.Individuals.Point
		if f.Rule == "mark" {
			listed++
		} else {
			lates++
		}
	}
	if people != n+2 || listed != maxFindings+1 || lates != 1 {
		t.Errorf("%d people, %d findings of the flood, %d of the other", people, listed, lates)
	}
	if len(facts.Skipped) != maxSkips+1 || !strings.Contains(facts.Skipped[maxSkips].Reason, fmt.Sprint(n+1-maxSkips)) {
		t.Errorf("%d skipped", len(facts.Skipped))
	}
}

func TestScanThatDoesNotReachItsEnd(t *testing.T) {
	scan := func(ctx context.Context, tree rootfs.Tree, detectors ...detect.Detector) (*cache.Facts, error) {
		w, err := store(t).Begin("k")
		must(t, err)
		defer w.Abort()
		return (&Scanner{Detectors: setOf(t, detectors...), Keyed: hmacKeyed}).Scan(ctx, tree, w, nil)
	}
	t.Run("layer_vanishes", func(t *testing.T) {
		d := filepath.Join(t.TempDir(), "fs")
		write(t, filepath.Join(d, "a"), "x")
		write(t, filepath.Join(d, "b/c"), "x")
		gone := opener(func(detect.Meta, *detect.Sink) {
			os.Rename(d, d+"-rm")
			os.RemoveAll(d + "-rm")
		})
		if _, err := scan(t.Context(), rootfs.Layer(d), gone); !errors.Is(err, rootfs.ErrVanished) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("part_vanishes", func(t *testing.T) {
		d := t.TempDir()
		write(t, filepath.Join(d, "a"), "x")
		write(t, filepath.Join(d, "b/c"), "x")
		gone := opener(func(detect.Meta, *detect.Sink) { os.RemoveAll(filepath.Join(d, "b")) })
		facts, err := scan(t.Context(), rootfs.Layer(d), gone)
		must(t, err)
		if len(facts.Skipped) != 1 || facts.Skipped[0].Kind != policy.Unreadable || facts.Skipped[0].Where != "/b" {
			t.Errorf("%d skipped", len(facts.Skipped))
		}
	})
	t.Run("file_becomes_shorter", func(t *testing.T) {
		d := t.TempDir()
		write(t, filepath.Join(d, "a"), strings.Repeat("x", 3*wholeBytes))
		cut := opener(func(detect.Meta, *detect.Sink) { os.Truncate(filepath.Join(d, "a"), 10) })
		facts, err := scan(t.Context(), rootfs.Layer(d), cut)
		must(t, err)
		if len(facts.Skipped) != 1 || facts.Skipped[0].Kind != policy.Unreadable {
			t.Errorf("%d skipped", len(facts.Skipped))
		}
	})
	t.Run("context_ends_within_a_file", func(t *testing.T) {
		d := t.TempDir()
		write(t, filepath.Join(d, "a"), strings.Repeat("x", 3*wholeBytes))
		ctx, cancel := context.WithCancel(t.Context())
		if _, err := scan(ctx, rootfs.Layer(d), opener(func(detect.Meta, *detect.Sink) { cancel() })); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
}

func TestProgressTellsTheTotals(t *testing.T) {
	d := t.TempDir()
	for i := range 1000 {
		write(t, filepath.Join(d, fmt.Sprint(i)), "1234")
	}
	w, err := store(t).Begin("k")
	must(t, err)
	defer w.Abort()
	var told [][2]int64
	_, err = (&Scanner{Detectors: setOf(t), Keyed: hmacKeyed}).Scan(t.Context(), rootfs.Dir(d), w, func(files, bytes int64) { told = append(told, [2]int64{files, bytes}) })
	must(t, err)
	if len(told) < 3 || told[len(told)-1] != [2]int64{1000, 4000} {
		t.Errorf("told %v", told)
	}
}

// TestProgressWithinAFile: a long file is told of while it is read.
func TestProgressWithinAFile(t *testing.T) {
	d := t.TempDir()
	must(t, os.WriteFile(filepath.Join(d, "long"), make([]byte, 5*progressBytes), 0o644))
	w, err := store(t).Begin("k")
	must(t, err)
	defer w.Abort()
	told := 0
	_, err = (&Scanner{Detectors: setOf(t), Keyed: hmacKeyed}).Scan(t.Context(), rootfs.Dir(d), w, func(int64, int64) { told++ })
	must(t, err)
	if told < 4 {
		t.Errorf("told %d times", told)
	}
}

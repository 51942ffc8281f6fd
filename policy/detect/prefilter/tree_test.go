package prefilter

import (
	"encoding/binary"
	"go/build"
	"io/fs"
	"math/bits"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// TestTree compares the ways to search over real files, to the last hit, with a
// reference that knows nothing of windows. It bounds how many candidates real
// text has, too: the speed depends on that.
func TestTree(t *testing.T) {
	limit := 100 << 20
	if testing.Short() {
		limit = 8 << 20
	}
	files := tree(t, filepath.Join(build.Default.GOROOT, "src"), limit)
	sets := ways(t, load())
	ref := newReference(sets["scalar"].patterns)
	size, hits, candidates := 0, 0, 0
	for _, path := range files {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		want := ref.find(data)
		for name, s := range sets {
			if got := all(t, s, data, 0, 100); !slices.Equal(got, want) {
				t.Errorf("%s: %d hits in %s, want %d", name, len(got), filepath.Base(path), len(want))
			}
		}
		size, hits, candidates = size+len(data), hits+len(want), candidates+count(sets["scalar"], data)
	}
	perKB := float64(candidates) / float64(size>>10)
	t.Logf("%d files, %d MB, %d hits, %.2f candidates per KB", len(files), size>>20, hits, perKB)
	if hits == 0 || perKB > 10 {
		t.Errorf("%d hits, %.2f candidates per KB; want some and at most 10", hits, perKB)
	}
}

// tree lists files of a folder until they are limit bytes.
func tree(t *testing.T, root string, limit int) []string {
	t.Helper()
	if _, err := os.Stat(root); err != nil {
		t.Skip("SKIPPED: no sources of Go here: ", err)
	}
	var files []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		files = append(files, path)
		if limit -= int(info.Size()); limit < 0 {
			return fs.SkipAll
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// count counts the windows that pass the filter.
func count(s *Set, data []byte) int {
	n := 0
	for at := 0; ; at += block {
		var mask uint32
		if at, mask = s.filter.scan(data, at); mask == 0 {
			return n
		}
		n += bits.OnesCount32(mask)
	}
}

// reference tries at each offset the expressions that may begin with the two
// bytes there.
type reference struct {
	patterns [][]class
	begin    [1 << 16][]int32
}

func newReference(patterns [][]class) *reference {
	r := &reference{patterns: patterns}
	for i, p := range patterns {
		for pair := range r.begin {
			if p[0].has(byte(pair)) && p[1].has(byte(pair>>8)) {
				r.begin[pair] = append(r.begin[pair], int32(i))
			}
		}
	}
	return r
}

func (r *reference) find(data []byte) []Hit {
	var found []Hit
	for off := range max(len(data)-1, 0) {
		for _, i := range r.begin[binary.LittleEndian.Uint16(data[off:])] {
			if matches(r.patterns[i], data[off:]) {
				found = append(found, Hit{i, int32(off)})
			}
		}
	}
	return found
}

// corpus gives some MB of text and of programs.
func corpus(b *testing.B) (text, programs []byte) {
	b.Helper()
	read := func(pattern string) (all []byte) {
		files, _ := filepath.Glob(filepath.Join(build.Default.GOROOT, pattern))
		for _, f := range files {
			data, err := os.ReadFile(f)
			if err != nil {
				b.Fatal(err)
			}
			all = append(all, data...)
		}
		return all[:min(len(all), 16<<20)]
	}
	return read("src/*/*.go"), read("bin/*")
}

package expand

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
)

// found is what a visitor was told of one file.
type found struct {
	files     map[string]string
	tables    map[string][]string // rows as text, cells joined with |
	heads     map[string]string   // columns
	skips     []string            // path: reason
	databases []string
	rows      int
	most      int // rows wanted of each table, 0 all
}

func (f *found) File(path string, _ int64, r io.Reader) error {
	b, err := io.ReadAll(io.LimitReader(r, 64<<20))
	f.files[path] += string(b)
	return err
}

func (f *found) Table(path string, columns []string) Rows {
	f.heads[path] = strings.Join(columns, "|")
	return &foundRows{f: f, path: path}
}

func (f *found) Database(path string) func() {
	f.databases = append(f.databases, path)
	return func() { f.databases = append(f.databases, "end, tables: "+fmt.Sprint(len(f.heads))) }
}

func (f *found) Skip(path, reason string) { f.skips = append(f.skips, path+": "+reason) }

type foundRows struct {
	f    *found
	path string
	n    int
}

func (r *foundRows) Row(cells [][]byte) bool {
	r.f.rows++
	if r.n++; r.n <= 10_000 {
		r.f.tables[r.path] = append(r.f.tables[r.path], string(bytes.Join(cells, []byte("|"))))
	}
	return r.f.most == 0 || r.n < r.f.most
}

func (r *foundRows) Close() {}

// look expands a file that is in memory.
func look(t testing.TB, path string, data []byte, most int) *found {
	t.Helper()
	f := &found{files: map[string]string{}, tables: map[string][]string{}, heads: map[string]string{}, most: most}
	kind := KindOf(path, data[:min(len(data), HeadBytes)], int64(len(data)))
	if kind == None {
		return f
	}
	lim := Defaults()
	lim.Time = 20 * time.Second
	begun := time.Now()
	if err := Expand(context.Background(), kind, path, bytes.NewReader(data), int64(len(data)), lim, f); err != nil {
		t.Fatalf("expanding: %v", err)
	}
	if d := time.Since(begun); d > 30*time.Second {
		t.Errorf("took %v", d)
	}
	return f
}

// cutAndSpoilt opens all beginnings of a file and the file with single bytes
// changed: each must be looked into or told about, and never crash.
func cutAndSpoilt(t *testing.T, path string, data []byte) {
	t.Helper()
	step := max(len(data)/150, 1)
	for n := 16; n < len(data); n += step {
		f := look(t, path, data[:n], 0)
		if len(f.skips) == 0 && f.rows == 0 && len(f.files) == 0 {
			t.Errorf("cut at %d of %d: nothing found and nothing told", n, len(data))
		}
	}
	for n := 0; n < len(data); n += step {
		for _, b := range []byte{0x00, 0xFF, data[n] ^ 0x10} {
			spoilt := bytes.Clone(data)
			spoilt[n] = b
			look(t, path, spoilt, 0)
		}
	}
}

// person is row i of the sample tables.
func person(i int) []string {
	return []string{fmt.Sprint(i), fmt.Sprintf("Family%d", i), fmt.Sprintf("19%02d-03-1%d", 40+i%60, i%10), fmt.Sprintf("note, with \"quotes\" %d", i)}
}

func (*found) Held() *Held { return nil }

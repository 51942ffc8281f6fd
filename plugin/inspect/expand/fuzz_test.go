package expand

import (
	"bytes"
	"io"
	"slices"
	"testing"
	"time"
)

// limited is a visitor that takes what a fuzzer makes of a file.
type limited struct {
	t     *testing.T
	bytes int64
	files int
}

func (v *limited) File(path string, _ int64, r io.Reader) error {
	n, err := io.Copy(io.Discard, r)
	v.bytes += n
	v.files++
	if err != nil || len(path) > maxPath {
		v.t.Errorf("path of %d bytes, error %v", len(path), err)
	}
	return nil
}

func (v *limited) Table(string, []string) Rows { return v }
func (v *limited) Row([][]byte) bool           { return true }
func (v *limited) Close()                      {}
func (v *limited) Skip(path, reason string) {
	if path == "" || reason == "" {
		v.t.Error("nothing is told")
	}
}

// FuzzExpand opens any bytes as any kind: that ends soon, without a panic and
// within the bounds.
func FuzzExpand(f *testing.F) {
	seeds := samples()
	seeds["/h.zip"] = overlapping(0, []byte(hello), hello, 5)
	seeds["/b.tar"] = sparseTar(1 << 30)
	seeds["/b.xz"] = bigDictionary()
	seeds["/i.zip"] = nestedZips(3, 2)
	for path, content := range seeds {
		f.Add(uint8(KindOf(path, content, -1)), content)
	}
	lim := Defaults()
	lim.Time, lim.Bytes, lim.Entries = 5*time.Second, 8<<20, 10000
	e := New(lim)
	kinds := slices.DeleteFunc(slices.Clone(known), func(f format) bool { return f.open == nil })
	f.Fuzz(func(t *testing.T, kind uint8, content []byte) {
		k := Kind(kind)
		if known.of(k) == nil {
			k = kinds[int(kind)%len(kinds)].kind
		}
		begun := time.Now()
		v := &limited{t: t}
		if err := e.Expand(t.Context(), k, "/a", bytes.NewReader(content), int64(len(content)), v); err != nil {
			t.Errorf("Expand: %v", err)
		}
		if err := e.Stream(t.Context(), k, "/a", bytes.NewReader(content), -1, v); err != nil {
			t.Errorf("Stream: %v", err)
		}
		if took := time.Since(begun); took > 20*time.Second || v.bytes > 64<<20 {
			t.Errorf("took %v, %d bytes", took, v.bytes)
		}
	})
}

// FuzzKindOf asks for the kind of any bytes.
func FuzzKindOf(f *testing.F) {
	for path, content := range samples() {
		f.Add(path, content)
	}
	f.Fuzz(func(t *testing.T, path string, head []byte) {
		if k := KindOf(path, head, int64(len(head))); k != None && known.of(k) == nil {
			t.Errorf("kind %d has no format", k)
		}
	})
}

func (*limited) Held() *Held { return nil }

func (*limited) Database(string) func() { return func() {} }

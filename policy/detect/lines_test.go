package detect_test

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/phigate/phigate/policy/detect"
)

type line struct {
	Off  int64
	Text string
	Cut  bool
}

// cut feeds data in windows of the given size.
func cut(limit, size int, data []byte) []line {
	var got []line
	l := detect.NewLines(limit, func(n detect.Line) { got = append(got, line{n.Off, string(n.Text), n.Cut}) })
	for off := 0; off < len(data); off += size {
		l.Window(detect.Window{Off: int64(off), Data: data[off:min(off+size, len(data))]})
	}
	l.Close()
	return got
}

func TestLines(t *testing.T) {
	for name, c := range map[string]struct {
		max  int
		data []byte
		want []line
	}{
		"lf":          {max: 9, data: []byte("a\nbc\n"), want: []line{{0, "a", false}, {2, "bc", false}}},
		"crlf":        {max: 9, data: []byte("a\r\nbc\r\nd"), want: []line{{0, "a", false}, {3, "bc", false}, {7, "d", false}}},
		"cr":          {max: 9, data: []byte("a\rbc\r"), want: []line{{0, "a", false}, {2, "bc", false}}},
		"mixed_blank": {max: 9, data: []byte("a\n\r\r\nb"), want: []line{{0, "a", false}, {2, "", false}, {3, "", false}, {5, "b", false}}},
		"bom":         {max: 9, data: []byte("\uFEFFa\nb"), want: []line{{0, "a", false}, {5, "b", false}}},
		"too_long":    {max: 3, data: []byte("abcdef\nabc\nx"), want: []line{{0, "abc", true}, {7, "abc", false}, {11, "x", false}}},
		"empty":       {max: 3},
	} {
		t.Run(name, func(t *testing.T) {
			for size := 1; size <= len(c.data)+1; size++ {
				if diff := cmp.Diff(c.want, cut(c.max, size, c.data)); diff != "" {
					t.Fatalf("windows of %d bytes (-want +got):\n%s", size, diff)
				}
			}
		})
	}
}

func TestLines_hole_ends_line(t *testing.T) {
	var got []line
	l := detect.NewLines(9, func(n detect.Line) { got = append(got, line{n.Off, string(n.Text), n.Cut}) })
	l.Window(detect.Window{Off: 0, Data: []byte("ab")})
	l.Window(detect.Window{Off: 1 << 40, Data: []byte("cd\ne")})
	l.Close()
	want := []line{{0, "ab", false}, {1 << 40, "cd", false}, {1<<40 + 3, "e", false}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("lines around a hole (-want +got):\n%s", diff)
	}
}

func FuzzLines(f *testing.F) {
	f.Add([]byte("a\r\nb\rc\nd"), uint8(3))
	f.Fuzz(func(t *testing.T, data []byte, size uint8) {
		whole := cut(64, len(data)+1, data)
		if diff := cmp.Diff(whole, cut(64, int(size)+1, data)); diff != "" {
			t.Errorf("lines differ with the windows: %d bytes of %d", int(size)+1, len(data))
		}
		for _, l := range whole {
			if len(l.Text) > 64 || bytes.ContainsAny([]byte(l.Text), "\r\n") {
				t.Errorf("line at %d is out of bounds", l.Off)
			}
		}
	})
}

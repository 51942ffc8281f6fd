package detect_test

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"

	"github.com/phigate/phigate/policy/detect"
)

type line struct {
	Off  int64
	Text string
	Cut  bool
}

// cut feeds data in windows of the given size.
func cut(enc detect.Encoding, limit, size int, data []byte) []line {
	var got []line
	l := detect.NewLines(enc, limit, func(n detect.Line) { got = append(got, line{n.Off, string(n.Text), n.Cut}) })
	for off := 0; off < len(data); off += size {
		l.Window(detect.Window{Off: int64(off), Data: data[off:min(off+size, len(data))]})
	}
	l.Close()
	return got
}

func utf16Bytes(order binary.ByteOrder, text string) []byte {
	var out []byte
	for _, u := range utf16.Encode([]rune(text)) {
		out = append(out, 0, 0)
		order.PutUint16(out[len(out)-2:], u)
	}
	return out
}

func TestLines(t *testing.T) {
	for name, c := range map[string]struct {
		enc  detect.Encoding
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
		"utf16_le": {
			enc: detect.UTF16LE, max: 99, data: utf16Bytes(binary.LittleEndian, "\uFEFFä\r\n😀x\n"),
			want: []line{{0, "ä", false}, {8, "😀x", false}},
		},
		"utf16_be": {
			enc: detect.UTF16BE, max: 99, data: utf16Bytes(binary.BigEndian, "\uFEFFab\nc"),
			want: []line{{0, "ab", false}, {8, "c", false}},
		},
		"utf16_lone_surrogate": {
			enc: detect.UTF16LE, max: 99, data: []byte{0x3D, 0xD8, 'a', 0, '\n', 0, 'b', 0},
			want: []line{{0, "a", false}, {6, "b", false}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			for size := 1; size <= len(c.data)+1; size++ {
				if diff := cmp.Diff(c.want, cut(c.enc, c.max, size, c.data)); diff != "" {
					t.Fatalf("windows of %d bytes (-want +got):\n%s", size, diff)
				}
			}
		})
	}
}

func TestLines_hole_ends_line(t *testing.T) {
	var got []line
	l := detect.NewLines(detect.UTF8, 9, func(n detect.Line) { got = append(got, line{n.Off, string(n.Text), n.Cut}) })
	l.Window(detect.Window{Off: 0, Data: []byte("ab")})
	l.Window(detect.Window{Off: 1 << 40, Data: []byte("cd\ne")})
	l.Close()
	want := []line{{0, "ab", false}, {1 << 40, "cd", false}, {1<<40 + 3, "e", false}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("lines around a hole (-want +got):\n%s", diff)
	}
}

func TestEncodingOf(t *testing.T) {
	text := strings.Repeat("plain text of a table, ", 4)
	for name, c := range map[string]struct {
		head []byte
		want detect.Encoding
	}{
		"empty":     {nil, detect.UTF8},
		"ascii":     {[]byte(text), detect.UTF8},
		"bom_8":     {[]byte("\uFEFF" + text), detect.UTF8},
		"bom_le":    {utf16Bytes(binary.LittleEndian, "\uFEFFa"), detect.UTF16LE},
		"bom_be":    {utf16Bytes(binary.BigEndian, "\uFEFFa"), detect.UTF16BE},
		"no_bom_le": {utf16Bytes(binary.LittleEndian, text), detect.UTF16LE},
		"no_bom_be": {utf16Bytes(binary.BigEndian, text), detect.UTF16BE},
		"zeros":     {make([]byte, 4096), detect.UTF8},
	} {
		t.Run(name, func(t *testing.T) {
			if got := detect.EncodingOf(c.head); got != c.want {
				t.Errorf("EncodingOf = %d, want %d", got, c.want)
			}
		})
	}
}

func FuzzLines(f *testing.F) {
	f.Add([]byte("a\r\nb\rc\nd"), uint8(3), uint8(0))
	f.Add([]byte("\xFF\xFEa\x00\r\x00\n\x00"), uint8(1), uint8(1))
	f.Fuzz(func(t *testing.T, data []byte, size, enc uint8) {
		e := detect.Encoding(enc % 3)
		whole := cut(e, 64, len(data)+1, data)
		if diff := cmp.Diff(whole, cut(e, 64, int(size)+1, data)); diff != "" {
			t.Errorf("lines differ with the windows: %d bytes of %d", int(size)+1, len(data))
		}
		for _, l := range whole {
			if len(l.Text) > 64 || e == detect.UTF8 && bytes.ContainsAny([]byte(l.Text), "\r\n") {
				t.Errorf("line at %d is out of bounds", l.Off)
			}
		}
	})
}

package page

import (
	"bytes"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// luminance is WCAG 2.2's relative luminance of "#rrggbb".
func luminance(t *testing.T, color string) float64 {
	t.Helper()
	if len(color) == 4 {
		color = "#" + strings.Repeat(color[1:2], 2) + strings.Repeat(color[2:3], 2) + strings.Repeat(color[3:4], 2)
	}
	sum := 0.0
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		n, err := strconv.ParseUint(color[1+2*i:3+2*i], 16, 8)
		if err != nil {
			t.Fatalf("color %s: %v", color, err)
		}
		c := float64(n) / 255
		if c <= 0.04045 {
			c /= 12.92
		} else {
			c = math.Pow((c+0.055)/1.055, 2.4)
		}
		sum += weight * c
	}
	return sum
}

// Text stands out from its ground by 4.5:1 (1.4.3), parts of pictures by 3:1 from
// the page (1.4.11) unless a text beside them says the same.
func TestContrast(t *testing.T) {
	colors := map[string]string{}
	for _, m := range regexp.MustCompile(`--([a-z-]+): (#[0-9a-f]+);`).FindAllStringSubmatch(style, -1) {
		colors[m[1]] = m[2]
	}
	for _, pair := range [][2]string{
		{"ink", "ground"}, {"ink", "shade"}, {"soft", "ground"}, {"soft", "shade"}, {"accent", "ground"}, {"block", "block-ground"}, {"warn", "warn-ground"},
		{"audit", "audit-ground"}, {"good", "good-ground"}, {"ink", "block-ground"}, {"ink", "warn-ground"}, {"ink", "good-ground"},
	} {
		if colors[pair[0]] == "" || colors[pair[1]] == "" {
			t.Fatalf("no color %v", pair)
		}
		a, b := luminance(t, colors[pair[0]]), luminance(t, colors[pair[1]])
		if ratio := (max(a, b) + 0.05) / (min(a, b) + 0.05); ratio < 4.5 {
			t.Errorf("%s on %s: %.2f:1", pair[0], pair[1], ratio)
		}
	}
}

func TestNumber(t *testing.T) {
	for in, want := range map[any]string{0: "0", 999: "999", 1000: "1,000", int64(-1234567): "-1,234,567", uint64(17): "17", "x": "x"} {
		if got := Number(in); got != want {
			t.Errorf("%v: %s, want %s", in, got, want)
		}
	}
}

// A page needs no network and no script, and text from outside stays text.
func TestPageIsSelfContained(t *testing.T) {
	p, err := New(`<p title="{{.}}">{{.}}</p>`)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	hostile := `"><script src=//x>{{.}}</script><img src=x onerror=y>`
	if err := p.Write(&b, hostile, hostile); err != nil {
		t.Fatal(err)
	}
	if out := b.String(); strings.Contains(out, "<script") || strings.Contains(out, "<img") || strings.Contains(out, "@import") || strings.Contains(out, "url(") {
		t.Errorf("text became markup, or the page loads something")
	}
	if _, err := New(`{{`); err == nil {
		t.Error("a broken template compiles")
	}
}

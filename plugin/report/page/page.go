// Package page is how phigate's HTML looks: one file that needs no network and
// no script, reads on a phone and on paper, and by ear.
//
// The style holds a contrast of 4.5:1 or more between text and its ground
// (WCAG 2.2, 1.4.3), says nothing by colour alone, and turns the rows of wide
// tables into blocks on narrow screens.
package page

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"strconv"
	"time"
)

//go:embed page.css
var style string

//go:embed page.html
var frame string

// Page is a template of the contents of a page.
type Page struct{ t *template.Template }

// New compiles the template of a body. It may define more templates, and use
// the functions of [funcs].
func New(body string) (*Page, error) {
	t, err := template.New("page").Funcs(funcs()).Parse(frame)
	if err == nil {
		_, err = t.New("body").Parse(body)
	}
	if err != nil {
		return nil, fmt.Errorf("compiling the page: %w", err)
	}
	return &Page{t}, nil
}

// Write fills the page.
func (p *Page) Write(w io.Writer, title string, data any) error {
	err := p.t.Execute(w, struct {
		Title string
		Style template.CSS
		Data  any
	}{title, template.CSS(style), data}) // our own style, embedded at build time
	if err != nil {
		return fmt.Errorf("writing the page: %w", err)
	}
	return nil
}

// funcs are what templates may call besides the language's own.
func funcs() template.FuncMap {
	return template.FuncMap{
		"n":    Number,
		"day":  func(t time.Time) string { return t.UTC().Format("2 January 2006") },
		"at":   func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") },
		"iso":  func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
		"some": plural,
		"abbr": abbreviate,
	}
}

// plural is a number with its noun: "1 rule", "1,203 rules".
func plural(n any, one, many string) string {
	if text := Number(n); text != "1" {
		return text + " " + many
	}
	return "1 " + one
}

// Number writes an integer with commas between its thousands.
func Number(n any) string {
	s := fmt.Sprint(n)
	if _, err := strconv.ParseInt(s, 10, 64); err != nil {
		return s
	}
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// abbreviate is a digest as people compare them.
func abbreviate(digest string) string {
	const keep = 19 // "sha256:" and twelve digits
	if len(digest) > 32 {
		return digest[:keep] + "…"
	}
	return digest
}

package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/phigate/phigate/policy"
)

// Problem is something wrong with a file, at one place.
type Problem struct {
	File       string `json:"file"`
	Line       int    `json:"line,omitempty"`       // from 1; 0: the file as a whole
	Column     int    `json:"column,omitempty"`     // in characters, from 1
	Text       string `json:"text,omitempty"`       // the source line, printable, at most 200 bytes
	Caret      int    `json:"caret,omitempty"`      // where in Text the column stands, in characters from 1; 0: cut off
	Message    string `json:"message"`              // what is wrong and what to do
	Suggestion string `json:"suggestion,omitempty"` // the word that was probably meant
	Warning    bool   `json:"warning"`              // the file can be used all the same
}

// Error is the problem on one line: "file:line:col: message (did you mean ...?)".
func (p Problem) Error() string {
	var b strings.Builder
	b.WriteString(policy.Printable(p.File))
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", p.Line, p.Column)
	}
	b.WriteString(": ")
	if p.Warning {
		b.WriteString("warning: ")
	}
	b.WriteString(p.Message)
	if p.Suggestion != "" {
		fmt.Fprintf(&b, " (did you mean `%s`?)", p.Suggestion)
	}
	return b.String()
}

// Problems are all that is wrong, in the order of the files.
type Problems []Problem

// Error joins the problems, one on each line.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

// Errors are the problems without the warnings.
func (ps Problems) Errors() []Problem {
	return slices.DeleteFunc(slices.Clone(ps), func(p Problem) bool { return p.Warning })
}

// maxProblems bounds what is said about one file.
const maxProblems = 100

// position is a place in a file; the zero value is the file as a whole.
type position struct{ line, column int }

// source is one file with its lines, and collects what is wrong with it.
type source struct {
	name     string
	layer    int
	lines    []string
	problems Problems
	muted    bool
	structs  map[reflect.Type]structKeys // those that were decoded into
}

func (s *source) problem(at position, format string, args ...any) { s.add(at, "", false, format, args) }

func (s *source) warning(at position, format string, args ...any) { s.add(at, "", true, format, args) }

// suggest is a problem with the word that was probably meant, if any is near.
func (s *source) suggest(at position, got string, known []string, format string, args ...any) {
	s.add(at, nearest(got, known), false, format, args)
}

// doubt is a warning with the word that was probably meant, if any is near.
func (s *source) doubt(at position, got string, known []string, format string, args ...any) {
	s.add(at, nearest(got, known), true, format, args)
}

func (s *source) add(at position, suggestion string, warning bool, format string, args []any) {
	if s.muted {
		return
	}
	message := policy.Printable(fmt.Sprintf(format, args...))
	if len(message) > maxMessage {
		message = policy.Printable(message[:maxMessage]) + "..."
	}
	if len(s.problems) >= maxProblems {
		s.muted, message, suggestion, warning = true, "too many problems, from here on they are not listed", "", false
	}
	p := Problem{File: s.name, Message: message, Suggestion: suggestion, Warning: warning}
	if at.line > 0 && at.line <= len(s.lines) {
		p.Line, p.Column = at.line, max(at.column, 1)
		p.Text, p.Caret = excerpt(s.lines[at.line-1], p.Column)
	}
	s.problems = append(s.problems, p)
}

// Bounds of a problem's source line and of its message, in bytes.
const (
	maxText    = 200
	maxMessage = 700
)

// excerpt is the beginning of a line, printable and bounded, and where in it
// the column stands; 0 where that is cut off.
func excerpt(line string, column int) (text string, caret int) {
	var b strings.Builder
	chars := 0
	for i, n := 0, 1; i < len(line); n++ {
		_, size := utf8.DecodeRuneInString(line[i:])
		piece := policy.Printable(line[i : i+size])
		if b.Len()+len(piece) > maxText-3 {
			b.WriteString("...")
			return b.String(), caret
		}
		if n == column {
			caret = chars + 1
		}
		b.WriteString(piece)
		chars += utf8.RuneCountInString(piece)
		i += size
	}
	if caret == 0 {
		caret = chars + 1
	}
	return b.String(), caret
}

// shown is text from a file as messages quote it, bounded.
func shown(s string) string {
	const limit = 60
	runes := []rune(s)
	if len(runes) > limit {
		s = string(runes[:limit]) + "..."
	}
	return "`" + policy.Printable(s) + "`"
}

// listed joins words for people: "a, b or c".
func listed(words []string, last string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " " + last + " " + words[len(words)-1]
}

// nearest is the known word that a typing error away from got; empty if none.
func nearest(got string, known []string) string {
	if len(got) > 64 {
		return ""
	}
	best, least := "", max(1, len(got)/3)+1
	for _, word := range known {
		if d := distance(strings.ToLower(got), strings.ToLower(word)); d < least {
			best, least = word, d
		}
	}
	return best
}

// distance counts the insertions, deletions, substitutions and swaps of
// neighbours between two words (optimal string alignment).
func distance(a, b string) int {
	prev2, prev, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(prev[j]+1, row[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], prev2[j-2]+1)
			}
		}
		prev2, prev, row = prev, row, prev2
	}
	return prev[len(b)]
}

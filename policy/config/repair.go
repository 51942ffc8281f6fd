package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/phigate/phigate/policy"
)

// Repair rebuilds the indentation of policies that was lost, as it is when they
// are copied from web pages: it asks the schema which key can stand below
// which, and takes nothing from the indentation that is left. Lines, comments
// and their order are kept; a value such as *.csv gets the quotes that YAML
// wants.
//
// What it returns compiles. Where the lines can be read in more than one way
// that compiles, or in none, it returns problems that say at which line, and
// which readings there are. A file that compiles as it is, is only formatted.
func Repair(f File, catalogue []policy.Info) ([]byte, Problems, error) {
	src, _ := load(f)
	if len(src.problems) > 0 {
		return nil, src.problems, nil
	}
	r := &repairer{source: src, pieces: pieces(src.lines)}
	holds := slices.ContainsFunc(r.pieces, func(p piece) bool { return p.kind == pieceContent })
	if p, _ := Compile([]File{f}, catalogue); p != nil && holds {
		return Format(f)
	}
	readings := r.readings()
	if len(src.problems) > 0 {
		return nil, src.problems, nil
	}
	var good []*reading
	var wrong Problems
	for _, reading := range readings {
		text := File{Name: f.Name, Data: []byte(r.write(reading))}
		p, problems := Compile([]File{text}, catalogue)
		switch {
		case p != nil:
			good = append(good, reading)
		case wrong == nil || len(problems) < len(wrong):
			wrong = problems
		}
	}
	switch len(good) {
	case 0:
		return nil, wrong, nil
	case 1:
		return Format(File{Name: f.Name, Data: []byte(r.write(good[0]))})
	}
	r.ambiguous(good[0], good[1])
	return nil, src.problems, nil
}

// repairer reads the lines of a file in every way that the schema allows.
type repairer struct {
	*source
	pieces []piece
}

// reading says for each line, the last one first, where it stands.
type reading struct {
	before *reading
	piece  int
	level  int    // of indentation
	path   string // what it stands below, for people
	raw    bool   // it goes on with a text, so that it is written as it is
}

// Bounds of the search: readings that are alive at one line, and of a file.
const (
	maxAlive    = 500
	maxReadings = 32
)

// readings are all ways to read the file; none, with a problem, where there are
// none or too many.
func (r *repairer) readings() []*reading {
	all := []*reading{nil}
	for begin := 0; begin < len(r.pieces); {
		end := begin
		for end < len(r.pieces) && r.pieces[end].kind != pieceSeparator {
			end++
		}
		if slices.ContainsFunc(r.pieces[begin:end], func(p piece) bool { return p.kind == pieceContent }) {
			all = r.document(all, begin, end)
		}
		if len(all) > maxReadings {
			r.problem(r.pieces[begin].at, "the lines can be read in more than %d ways; indent some of them, and repair again", maxReadings)
		}
		if len(r.problems) > 0 {
			return nil
		}
		begin = end + 1
	}
	if len(all) == 1 && all[0] == nil {
		r.problem(position{}, "the file holds no policy")
	}
	return all
}

// document reads the pieces of one document behind what was read before.
func (r *repairer) document(before []*reading, begin, end int) []*reading {
	root := r.root(r.pieces[begin:end])
	if root == nil {
		return nil
	}
	var states []*state
	for _, b := range before {
		states = append(states, &state{frames: []frame{{shape: root}}, read: b})
	}
	for i := begin; i < end; i++ {
		switch p := &r.pieces[i]; {
		case p.kind == pieceComment && slices.ContainsFunc(states, func(s *state) bool { return s.literal > 0 }):
			r.problem(p.at, "this line can be a comment or part of the text above it; take it away, and repair again")
			return nil
		case p.kind != pieceContent:
			continue
		}
		var next []*state
		for _, s := range states {
			next = append(next, s.take(i, &r.pieces[i])...)
		}
		if len(next) == 0 {
			r.nowhere(&r.pieces[i], states)
			return nil
		}
		if len(next) > maxAlive {
			r.problem(r.pieces[i].at, "the lines up to here can be read in more than %d ways; indent some of them, and repair again", maxAlive)
			return nil
		}
		states = next
	}
	var out []*reading
	for _, s := range states {
		if s.closable(0) {
			out = append(out, s.read)
		}
	}
	if len(out) == 0 {
		r.incomplete(states[0], r.pieces[end-1].at)
	}
	return out
}

// root is the shape of a document, by the two words that say what it is.
func (r *repairer) root(pieces []piece) *shape {
	var words [2]string
	for i, key := range []string{"apiVersion", "kind"} {
		at := slices.IndexFunc(pieces, func(p piece) bool { return !p.dash && p.name == key })
		if at < 0 {
			r.problem(pieces[0].at, "%s is missing in the document that begins here; it says how the lines belong together", key)
			return nil
		}
		words[i] = unquote(pieces[at].value)
	}
	t, ok := roots()[words]
	if !ok {
		r.problem(pieces[0].at, "apiVersion %s with kind %s is not known", shown(words[0]), shown(words[1]))
		return nil
	}
	return shapeOf(t)
}

// write is the text as it is read.
func (r *repairer) write(last *reading) string {
	read := map[int]*reading{}
	for at := last; at != nil; at = at.before {
		read[at.piece] = at
	}
	lines := make([]string, len(r.pieces))
	indent := 0
	for i := len(r.pieces) - 1; i >= 0; i-- { // a comment stands with what follows it
		p := &r.pieces[i]
		switch p.kind {
		case pieceSeparator:
			lines[i], indent = "---", 0
		case pieceComment:
			lines[i] = strings.Repeat("  ", indent) + p.comment
		case pieceContent:
			indent = read[i].level
			lines[i] = strings.Repeat("  ", indent)
			if read[i].raw {
				lines[i] += p.raw
			} else {
				lines[i] += p.text()
			}
		}
	}
	return strings.Join(lines, "\n") + "\n"
}

// ambiguous says where two readings part.
func (r *repairer) ambiguous(a, b *reading) {
	var first [2]*reading
	for a != nil && b != nil {
		if a.level != b.level || a.path != b.path {
			first = [2]*reading{a, b}
		}
		a, b = a.before, b.before
	}
	if first[0] == nil {
		r.problem(position{}, "the lines can be read in more than one way")
		return
	}
	p := &r.pieces[first[0].piece]
	r.problem(p.at, "%s can be read in two ways: as part of %s, or of %s; indent the lines up to here as they are meant, or move this one", shown(p.text()), first[0].path, first[1].path)
}

// nowhere says why a line cannot stand where it does.
func (r *repairer) nowhere(p *piece, states []*state) {
	var keys, places []string
	for _, s := range states {
		for i := range s.frames {
			f := &s.frames[i]
			keys = append(keys, f.free()...)
			if place := s.path(i); f.shape.form != formText && !slices.Contains(places, place) {
				places = append(places, place)
			}
		}
	}
	slices.Sort(keys)
	text := shown(p.text())
	switch {
	case p.name == "apiVersion":
		r.problem(p.at, "a second document begins here; put a line --- above it")
	case p.name != "" && slices.Contains(keys, p.name):
		r.problem(p.at, "%s cannot stand here: something before it is not finished, or its value has the wrong form", text)
	default:
		r.suggest(p.at, p.name, keys, "%s fits nowhere in %s", text, listed(places[:min(len(places), 6)], "or"))
	}
}

func (r *repairer) incomplete(s *state, at position) {
	for i := len(s.frames) - 1; i >= 0; i-- {
		f := &s.frames[i]
		for _, key := range f.shape.required {
			if !slices.Contains(f.keys, key) {
				r.problem(at, "the document ends, and %s has no %s", s.path(i), shown(key))
				return
			}
		}
		if f.count == 0 {
			r.problem(at, "the document ends, and %s is empty", s.path(i))
			return
		}
	}
	r.problem(at, "the document ends too early")
}

// state is a way to read the lines so far.
type state struct {
	frames  []frame // the places that are open, the document first
	read    *reading
	plain   bool // the last line ended with a text that can go on
	literal int  // 0: none; else one more than the level of a text of several lines
	inside  bool // that text has a line
}

// frame is an open place.
type frame struct {
	shape *shape
	name  string // the key or the number in the list
	level int    // of its keys or dashes
	keys  []string
	count int // of keys or entries
}

// free are the keys that can still be written.
func (f *frame) free() []string {
	return slices.DeleteFunc(slices.Clone(f.shape.keys), func(key string) bool {
		return slices.Contains(f.keys, key) || f.shape.fields[key] == nil
	})
}

// path names a place for people: "spec.rules[2]".
func (s *state) path(depth int) string {
	var b strings.Builder
	for _, f := range s.frames[1 : depth+1] {
		if !strings.HasPrefix(f.name, "[") && b.Len() > 0 {
			b.WriteByte('.')
		}
		b.WriteString(f.name)
	}
	if b.Len() == 0 {
		return "the document"
	}
	return "`" + b.String() + "`"
}

// closable says whether all places above a depth can end.
func (s *state) closable(depth int) bool {
	if s.literal > 0 && !s.inside {
		return false
	}
	for _, f := range s.frames[depth:] {
		if f.count == 0 || !f.shape.complete(f.keys) {
			return false
		}
	}
	return true
}

// take reads one more line in every way that is possible.
func (s *state) take(i int, p *piece) []*state {
	var out []*state
	if s.literal > 0 {
		next := *s
		next.read = &reading{s.read, i, s.literal, s.read.path, true}
		next.inside = true
		out = append(out, &next)
	}
	if !p.dash && p.key == "" {
		if s.plain && p.plain() {
			next := *s
			next.read = &reading{s.read, i, s.read.level + 2, s.read.path, true}
			out = append(out, &next)
		}
		return out
	}
	for depth := len(s.frames) - 1; depth >= 0 && (depth == len(s.frames)-1 || s.closable(depth+1)); depth-- {
		if s.literal > 0 && !s.inside {
			break
		}
		if next := s.attach(i, p, depth); next != nil {
			out = append(out, next)
		}
	}
	return out
}

// attach reads a line as part of the place at a depth; nil where it cannot be.
func (s *state) attach(i int, p *piece, depth int) *state {
	next := &state{frames: slices.Clone(s.frames[:depth+1])}
	f := &next.frames[depth]
	next.read = &reading{s.read, i, f.level, s.path(depth), false}
	f.count++
	if !p.dash {
		if next.put(p, depth) {
			return next
		}
		return nil
	}
	if f.shape.form != formList || f.shape.item == nil {
		return nil
	}
	item := f.shape.item
	switch {
	case item.form == formKeys && p.flow(), item.form == formPair && p.value != "" && !p.flow():
		return next
	case item.form == formText && p.key == "" && p.value != "" && !p.flow():
		next.plain = p.plain()
		return next
	case item.form != formKeys || p.key == "" && p.value != "":
		return nil
	}
	next.frames = append(next.frames, frame{shape: item, name: fmt.Sprintf("[%d]", f.count), level: f.level + 1})
	if p.key == "" {
		return next
	}
	next.frames[depth+1].count++
	if next.put(p, depth+1) {
		return next
	}
	return nil
}

// put reads a key with what follows it as part of the mapping at a depth.
func (s *state) put(p *piece, depth int) bool {
	f := &s.frames[depth]
	var value *shape
	switch f.shape.form {
	case formKeys:
		value = f.shape.fields[p.name]
	case formDict:
		value = &shape{}
	}
	if value == nil || slices.Contains(f.keys, p.name) {
		return false
	}
	f.keys = append(slices.Clone(f.keys), p.name)
	level := f.level
	switch {
	case value.form == formText:
		s.plain = p.plain()
		if p.block() {
			s.literal = level + 1
		}
		return p.value != "" && !p.flow()
	case p.value != "":
		return p.flow()
	case value.form != formList:
		level++
	}
	s.frames = append(s.frames, frame{shape: value, name: p.name, level: level})
	return true
}

package secret

import (
	"bytes"
	"strings"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/detect"
)

// token is a kind of secret that is known by its own form.
type token struct {
	kind    string  // what a finding says it is
	form    string  // see form
	entropy float64 // at least, of the whole; 0: leastEntropy
	// anchor and back: the form begins with a run of unknown length, so that
	// another part of it is looked for, and the run before that is of this class.
	anchor string
	back   string
	// near is a word in lower case that stands shortly before.
	near string
	// check says whether the value is one, beyond its form; nil: it is.
	check func(value []byte) bool
}

// keyed is a kind of secret that looks like any other value: a label with one
// of the words announces it.
type keyed struct {
	words   string // anchors without regard to case, divided by blanks
	kind    string
	form    string
	entropy float64
	check   func(value []byte) bool
}

// leastEntropy is asked of values of which nothing better is known. Sixteen
// random digits have less in one case of 10,000.
const leastEntropy = 2

// judge is asked at each match of its anchor.
type judge func(h *detect.Hit, s *detect.Sink)

// kinds are the anchors of a detector with their judges.
type kinds struct {
	anchors []string
	judges  []judge
}

func (k *kinds) add(anchor string, j judge) {
	k.anchors = append(k.anchors, anchor)
	k.judges = append(k.judges, j)
}

// detector makes one of all kinds.
func (k *kinds) detector(info policy.Info) detect.Detector {
	judges := k.judges
	return detect.Detector{Info: info, Anchors: k.anchors, Near: func(h detect.Hit, s *detect.Sink) { judges[h.Anchor](&h, s) }}
}

// tokens adds kinds with forms.
func (k *kinds) tokens(all []token) {
	for i := range all {
		t := all[i]
		f := newForm(t.form)
		if t.entropy == 0 {
			t.entropy = leastEntropy
		}
		if t.anchor == "" {
			k.add(f.anchor(), func(h *detect.Hit, s *detect.Sink) { t.judge(f, h, h.At, s) })
			continue
		}
		lead := newClass(classes[t.back[0]])
		k.add(t.anchor, func(h *detect.Hit, s *detect.Sink) { t.judge(f, h, before(h, &lead), s) })
	}
}

// longestBack bounds a run before an anchor.
const longestBack = 64

// before is where the run of the class begins that stands before the match.
func before(h *detect.Hit, lead *class) int {
	at := h.At
	for at > 0 && h.At-at < longestBack && lead.holds(h.Text[at-1]) {
		at--
	}
	return at
}

// judge reports the token that begins at the offset.
func (t *token) judge(f form, h *detect.Hit, at int, s *detect.Sink) {
	end, ok := f.match(h.Text, at)
	if !ok || f.goesOn(h.Text, end) || !begins(h.Text, at) || !ends(h.Text, end) || !t.nearby(h.Text[:at]) || armoured(h.Text, at, end) {
		return
	}
	if value := h.Text[at:end]; entropy(value) >= t.entropy && (t.check == nil || t.check(value)) && !sample(value) {
		report(h, at, value, t.kind, s)
	}
}

// armoured says whether a token is nothing but a whole line in the middle of base64
// in lines, as PEM and MIME have it: the line before it is as long, and does not
// begin like it.
func armoured(text []byte, at, end int) bool {
	const pem, mime, alike = 64, 76, 4 // RFC 7468, 2; RFC 2045, 6.8
	n := end - at
	if n != pem && n != mime || at == 0 || text[at-1] != '\n' {
		return false
	}
	last := bytes.TrimSuffix(text[:at-1], []byte{'\r'})
	if len(last) < n {
		return false
	}
	line := last[len(last)-n:]
	return run(line, n, isBase64) == n && (len(last) == n || last[len(last)-n-1] == '\n') && !bytes.Equal(line[:alike], text[at:at+alike])
}

func isBase64(b byte) bool { return isDigit(b) || isLetter(b) || b == '+' || b == '/' }

// nearBytes is how far before a token its word may stand.
const nearBytes = 80

// nearby says whether the word that the token asks for stands before it.
func (t *token) nearby(text []byte) bool {
	return t.near == "" || containsFold(text[max(0, len(text)-nearBytes):], t.near)
}

// report tells of a value that begins at an offset of the hit's text.
func report(h *detect.Hit, at int, value []byte, kind string, s *detect.Sink) {
	s.FoundAs(kind, h.Off+int64(at-h.At))
	s.Fingerprint(value)
}

// keyed adds kinds with labels. Kinds with the same word share its anchor; the
// first whose form fits is reported.
func (k *kinds) keyed(all []keyed) {
	var words []string
	of := map[string][]token{}
	for _, e := range all {
		t := token{kind: e.kind, form: e.form, entropy: e.entropy, check: e.check}
		if t.entropy == 0 {
			t.entropy = leastEntropy
		}
		for _, word := range strings.Fields(e.words) {
			if of[word] == nil {
				words = append(words, word)
			}
			of[word] = append(of[word], t)
		}
	}
	for _, word := range words {
		k.add("(?i)"+word, labelled(of[word]))
	}
}

// labelled judges the value that a label announces.
func labelled(all []token) judge {
	forms := make([]form, len(all))
	for i := range all {
		forms[i] = newForm(all[i].form)
	}
	return func(h *detect.Hit, s *detect.Sink) {
		at, ok := assigned(h.Text, h.End)
		if !ok || !beginsName(h.Text, h.At) {
			return
		}
		for i := range all {
			t := &all[i]
			end, ok := forms[i].match(h.Text, at)
			if !ok || !delimited(h.Text, end) {
				continue
			}
			if value := h.Text[at:end]; entropy(value) >= t.entropy && (t.check == nil || t.check(value)) && !sample(value) {
				report(h, at, value, t.kind, s)
				return
			}
		}
	}
}

// What may stand between a word of a label and the value, at most: more of the
// label, quotes and blanks, an operator, and quotes and blanks again.
const (
	moreLabel  = 24
	moreQuotes = 4
	moreBlanks = 10
)

// assigned is where the value begins that a label announces which has a word up
// to the offset: `word_a = "`, `"word": "`, `<word>`, `Word := `, `word => "`,
// `("WORD_A", "`, `word: |`.
func assigned(text []byte, at int) (value int, ok bool) {
	at = skip(text, at, moreLabel, func(b byte) bool { return isWord(b) || b == '.' || b == '-' || b == ' ' || b == '\t' })
	at = skip(text, at, moreQuotes, func(b byte) bool { return isSpace(b) || isQuote(b) })
	start := at
	at = skip(text, at, 4, func(b byte) bool { return bytes.IndexByte([]byte("=>:|?,+"), b) >= 0 })
	if !bytes.ContainsAny(text[start:at], "=>:|,") {
		return 0, false
	}
	at = skip(text, at, 1, func(b byte) bool { return b == '(' || b == '[' })
	if hasBlockMark(text[at:]) {
		at += 2
	}
	return skip(text, at, moreBlanks, func(b byte) bool { return isSpace(b) || isQuote(b) || b == '=' }), true
}

// isQuote says whether the byte is a quote, or escapes one.
func isQuote(b byte) bool { return b == '"' || b == '\'' || b == '`' || b == '\\' }

// hasBlockMark says whether YAML's mark of a value on the next line follows.
func hasBlockMark(text []byte) bool {
	return len(text) > 2 && text[0] == ' ' && (text[1] == '|' || text[1] == '>') && isSpace(text[2])
}

// skip passes over at most that many bytes.
func skip(text []byte, at, most int, while func(byte) bool) int {
	for end := min(len(text), at+most); at < end && while(text[at]); {
		at++
	}
	return at
}

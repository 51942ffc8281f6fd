package gitleaks

import (
	"errors"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode"
)

// Bounds of a path expression: how many alternatives it may spell out, and how
// long a glob may be, which package config bounds too.
const (
	maxForms = 32
	maxGlob  = 256
)

// errInexact is why an expression has no glob.
var errInexact = errors.New("no glob means exactly this")

// form is one way in which an expression can match: signs in a row.
type form []sign

// sign is a literal rune, or one of the special ones below zero.
type sign rune

const (
	begin    sign = -1 - iota // of the text
	end                       // of the text
	anything                  // any text, slashes too
	within                    // any text without a slash
	oneOf                     // any sign but a slash
)

// Globs translates an expression on paths, as gitleaks has it, into globs that
// match exactly the same paths. Gitleaks' paths are relative to what is scanned
// and the expression may match anywhere in them; the globs match the whole path
// in the image, which begins with a slash. An error says that there are none.
func Globs(expression string) ([]string, error) {
	re, err := syntax.Parse(expression, syntax.Perl)
	if err != nil {
		return nil, errors.New("not a regular expression")
	}
	forms, err := spell(re.Simplify())
	if err != nil {
		return nil, err
	}
	var out []string
	for _, f := range forms {
		globs, err := f.globs()
		if err != nil {
			return nil, err
		}
		for _, g := range globs {
			if len(g) > maxGlob {
				return nil, errInexact
			}
			if !slices.Contains(out, g) {
				out = append(out, g)
			}
		}
	}
	if len(out) == 0 {
		return nil, errInexact
	}
	return out, nil
}

// spell lists the forms of an expression.
func spell(re *syntax.Regexp) ([]form, error) {
	switch re.Op {
	case syntax.OpEmptyMatch:
		return []form{{}}, nil
	case syntax.OpBeginText:
		return []form{{begin}}, nil
	case syntax.OpEndText:
		return []form{{end}}, nil
	case syntax.OpLiteral:
		return spellLiteral(re)
	case syntax.OpCharClass:
		return spellClass(re)
	case syntax.OpAnyCharNotNL, syntax.OpAnyChar:
		return nil, errInexact // a sign that may be a slash
	case syntax.OpCapture:
		return spell(re.Sub[0])
	case syntax.OpQuest:
		forms, err := spell(re.Sub[0])
		return append(forms, form{}), err
	case syntax.OpStar, syntax.OpPlus:
		return spellRepeat(re)
	case syntax.OpConcat:
		return spellConcat(re)
	case syntax.OpAlternate:
		var out []form
		for _, sub := range re.Sub {
			forms, err := spell(sub)
			if err != nil {
				return nil, err
			}
			if out = append(out, forms...); len(out) > maxForms {
				return nil, errInexact
			}
		}
		return out, nil
	}
	return nil, errInexact
}

func spellLiteral(re *syntax.Regexp) ([]form, error) {
	out := []form{{}}
	for _, r := range re.Rune {
		runes := []rune{r}
		if re.Flags&syntax.FoldCase != 0 {
			for folded := unicode.SimpleFold(r); folded != r; folded = unicode.SimpleFold(folded) {
				if folded < unicode.MaxASCII { // others are no names of files that anybody meant
					runes = append(runes, folded)
				}
			}
		}
		if len(runes) > 1 {
			return nil, errors.New("upper and lower case are one there; globs tell them apart")
		}
		out[0] = append(out[0], sign(r))
	}
	return out, nil
}

// spellClass spells out a small class; all signs but the slash are one of their own.
func spellClass(re *syntax.Regexp) ([]form, error) {
	if slices.Equal(re.Rune, []rune{0, '/' - 1, '/' + 1, unicode.MaxRune}) {
		return []form{{oneOf}}, nil
	}
	var out []form
	for i := 0; i+1 < len(re.Rune); i += 2 {
		for r := re.Rune[i]; r <= re.Rune[i+1]; r++ {
			if out = append(out, form{sign(r)}); len(out) > maxForms {
				return nil, errInexact
			}
		}
	}
	return out, nil
}

// spellRepeat knows any text, and any text without a slash.
func spellRepeat(re *syntax.Regexp) ([]form, error) {
	many := map[bool]map[syntax.Op]form{
		false: {syntax.OpStar: {anything}},
		true:  {syntax.OpStar: {within}, syntax.OpPlus: {oneOf, within}},
	}
	sub := re.Sub[0]
	slashless := sub.Op == syntax.OpCharClass && slices.Equal(sub.Rune, []rune{0, '/' - 1, '/' + 1, unicode.MaxRune})
	if !slashless && sub.Op != syntax.OpAnyCharNotNL && sub.Op != syntax.OpAnyChar {
		return nil, errInexact
	}
	if f, ok := many[slashless][re.Op]; ok {
		return []form{f}, nil
	}
	return nil, errInexact
}

func spellConcat(re *syntax.Regexp) ([]form, error) {
	out := []form{{}}
	for _, sub := range re.Sub {
		forms, err := spell(sub)
		if err != nil {
			return nil, err
		}
		var next []form
		for _, head := range out {
			for _, tail := range forms {
				next = append(next, slices.Concat(head, tail))
			}
		}
		if out = next; len(out) > maxForms {
			return nil, errInexact
		}
	}
	return out, nil
}

// globs are those of one form. What it does not say about the beginning and the
// end of a path may be any text there.
func (f form) globs() ([]string, error) {
	body := slices.Clone(f)
	atBegin, atEnd := false, false
	for len(body) > 0 && (body[0] == begin || body[0] == anything) {
		atBegin = body[0] == begin
		if body = body[1:]; !atBegin {
			break
		}
	}
	if atBegin && len(body) > 0 && body[0] == anything {
		atBegin, body = false, body[1:]
	}
	for len(body) > 0 && (body[len(body)-1] == end || body[len(body)-1] == anything) {
		last := body[len(body)-1]
		body = body[:len(body)-1]
		if last == anything {
			atEnd = false
			break
		}
		atEnd = true
	}
	text, err := body.text()
	switch {
	case err != nil || text == "":
		return nil, errInexact
	case atBegin && text[0] == '/', atEnd && text[len(text)-1] == '/', strings.Contains(text, "//"):
		return nil, nil // no path of a file is like that
	}
	return spread(text, atBegin, atEnd), nil
}

// spread adds what may stand before and behind a text.
func spread(text string, atBegin, atEnd bool) []string {
	head := "/" + text
	switch {
	case atBegin:
	case text[0] == '/': // a path begins with no slash, so something stands before it
		head = "/*/**" + text
	default:
		head = "/**/*" + text
	}
	switch {
	case atEnd:
		return []string{head}
	case text[len(text)-1] == '/': // a file's path ends with none, so something follows
		return []string{head + "**/*"}
	}
	return []string{head + "*", head + "*/**/*"}
}

// text is the body as a part of a glob.
func (f form) text() (string, error) {
	var b strings.Builder
	for _, s := range f {
		switch {
		case s == within:
			b.WriteByte('*')
		case s == oneOf:
			b.WriteByte('?')
		case s < 0:
			return "", errInexact
		default:
			if strings.ContainsRune(`*?[]{}\`, rune(s)) {
				b.WriteByte('\\')
			}
			b.WriteRune(rune(s))
		}
	}
	return b.String(), nil
}

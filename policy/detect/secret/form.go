package secret

import (
	"fmt"
	"strconv"
	"strings"
)

// form is the shape of a token, written as literal bytes and runs of classes:
// "ghp_<w36>", "glc_<b32-400><=0-3>". A run is a class and how many bytes of it,
// or the least and the most. Matching takes as many as there are and never goes
// back, so that the class of a run must not hold what may follow it.
type form []piece

// piece is a literal, or a run of a class.
type piece struct {
	literal  string
	class    class
	min, max int
}

// class is a set of bytes, written as prefilter writes it.
type class struct {
	expr string
	has  [4]uint64
}

func (c *class) holds(b byte) bool { return c.has[b>>6]>>(b&63)&1 != 0 }

// classes by the letter that stands for them in a form.
var classes = map[byte]string{
	'd': `[0-9]`,
	'h': `[0-9a-f]`,
	'x': `[0-9a-fA-F]`,
	'l': `[a-z0-9]`,
	'U': `[A-Z0-9]`,
	'a': `[A-Za-z]`,
	'w': `[A-Za-z0-9]`,
	'B': `[A-Z2-7]`,          // base32 (RFC 4648, 6)
	'b': `[A-Za-z0-9+/]`,     // base64 (RFC 4648, 4)
	'k': `[A-Za-z0-9_\-]`,    // base64 for URLs (RFC 4648, 5)
	'e': `[A-Za-z0-9_=\-]`,   // the same, padded
	't': `[A-Za-z0-9_.=\-]`,  // the same, in pieces
	'm': `[A-Za-z0-9+/=_\-]`, // base64 of either kind
	'p': `[!#-&(-_a-~]`,      // printable, no quotes
	'z': `[AC-HJ-NP-Z02-9]`,  // bech32 in upper case (BIP 173), without B, I, O and 1
	'j': `[A-Za-z0-9/\\_\-]`, // base64 for URLs as JSON may escape it
	'v': `[A-Za-z0-9_.]`,
	'u': `[A-Za-z0-9_~.\-]`, // unreserved in URLs (RFC 3986, 2.3)
	'%': `[A-Za-z0-9%]`,
	'y': `[0-9a-fA-F:]`,
	'=': `[=]`,
}

// newForm reads a form. The tables are constants, so that an error in one is a
// fault of the program: it panics.
func newForm(text string) form {
	var f form
	for rest := text; rest != ""; {
		literal, more, run := strings.Cut(rest, "<")
		if literal != "" {
			f = append(f, piece{literal: literal})
		}
		if !run {
			break
		}
		spec, after, closed := strings.Cut(more, ">")
		p, err := newRun(spec)
		if err != nil || !closed {
			panic(fmt.Sprintf("secret: form %q: %v", text, err))
		}
		f, rest = append(f, p), after
	}
	return f
}

// newRun reads what stands between the brackets.
func newRun(spec string) (piece, error) {
	if spec == "" {
		return piece{}, fmt.Errorf("empty run")
	}
	expr, counts := classes[spec[0]], spec[1:]
	if spec[0] == '[' {
		i := strings.IndexByte(spec, ']')
		expr, counts = spec[:i+1], spec[i+1:]
	}
	if expr == "" {
		return piece{}, fmt.Errorf("no class in %q", spec)
	}
	low, high, ranged := strings.Cut(counts, "-")
	if !ranged {
		high = low
	}
	least, err := strconv.Atoi(low)
	if err != nil {
		return piece{}, fmt.Errorf("reading a count: %w", err)
	}
	most, err := strconv.Atoi(high)
	if err != nil {
		return piece{}, fmt.Errorf("reading a count: %w", err)
	}
	return piece{class: newClass(expr), min: least, max: most}, nil
}

// newClass reads a class with ranges and escapes.
func newClass(expr string) class {
	c := class{expr: expr}
	inner := expr[1 : len(expr)-1]
	for i := 0; i < len(inner); i++ {
		if inner[i] == '\\' {
			i++
		}
		low, high := inner[i], inner[i]
		if i+2 < len(inner) && inner[i+1] == '-' {
			high = inner[i+2]
			i += 2
		}
		for b := int(low); b <= int(high); b++ {
			c.has[b>>6] |= 1 << (b & 63)
		}
	}
	return c
}

// match says whether the form stands at the offset, and where it ends.
func (f form) match(text []byte, at int) (end int, ok bool) {
	for i := range f {
		p := &f[i]
		if p.literal != "" {
			if len(text)-at < len(p.literal) || string(text[at:at+len(p.literal)]) != p.literal {
				return 0, false
			}
			at += len(p.literal)
			continue
		}
		n := 0
		for n < p.max && at+n < len(text) && p.class.holds(text[at+n]) {
			n++
		}
		if n < p.min {
			return 0, false
		}
		at += n
	}
	return at, true
}

// goesOn says whether the form's last run could be longer than it may be.
func (f form) goesOn(text []byte, end int) bool {
	last := &f[len(f)-1]
	return last.literal == "" && end < len(text) && last.class.holds(text[end])
}

// How many positions an anchor has at most, prefilter takes 64, and how many of
// them behind enough literal bytes.
const (
	longestAnchor = 60
	moreAnchor    = 10
	enoughLiteral = 4
)

// anchor is the form as an expression of package prefilter, as far as its
// length is fixed, and further than its first literal by a little only.
func (f form) anchor() string {
	var expr strings.Builder
	room, literal := longestAnchor, 0
	for _, p := range f {
		for i := 0; i < len(p.literal) && room > 0; i++ {
			fmt.Fprintf(&expr, `\x%02x`, p.literal[i])
			room--
			literal++
		}
		if literal >= enoughLiteral {
			room = min(room, moreAnchor)
		}
		for i := 0; i < p.min && room > 0; i++ {
			expr.WriteString(p.class.expr)
			room--
		}
		if p.min != p.max {
			break
		}
	}
	return expr.String()
}

// Package jsontok cuts JSON into tokens without a document in memory: it is
// fed windows of a file and calls back for each value. It is made for hostile
// and damaged input: NDJSON, values one after another, text around them, a
// beginning in the middle of a document, comments, single quotes and bare keys
// are all read as far as they make sense, and nothing is an error.
//
// Memory is bounded: strings are kept up to MaxString bytes, keys up to MaxKey,
// containers up to MaxDepth; deeper ones cost a counter. Time is linear.
package jsontok

// Bounds of what is kept.
const (
	MaxString = 64 << 10 // bytes of a string after decoding
	MaxKey    = 128      // bytes of a key that are kept per level
	MaxDepth  = 64       // containers; what is deeper is passed over
	// maxComment bounds a comment: what does not end by then is no comment.
	maxComment = 4 << 10
)

// Kind is what a token is.
type Kind uint8

const (
	ObjectStart Kind = iota
	ObjectEnd
	ArrayStart
	ArrayEnd
	String  // Value is decoded, without quotes
	Literal // a number, true, false, null or another bare word; Value as written
)

// Token is a value, or an end of one. It is valid during the call only.
type Token struct {
	Kind Kind
	Off  int64 // of its first byte in the file
	// Key is the member's name. Elements of an array have the array's. Ends have
	// the key of their start. Empty at the top.
	Key   []byte
	Value []byte
	Cut   bool // the value or key was longer than the bound, or ended with the line or the file
	// Depth counts the containers around the value; an end has the depth of its
	// start. Where reading began in the middle of a document, values of the
	// unknown containers have depth 0.
	Depth int
	// Unopened marks an end whose start was not seen, at depth 0.
	Unopened bool
	// Broken marks an end that is not in the file: the file ended, a hole
	// followed, or a new document began.
	Broken bool
}

// Tokenizer cuts one file. Its callback may ask it for the path of the token
// that it is called with.
type Tokenizer struct {
	emit func(*Token)
	tok  Token

	begun bool
	next  int64 // where the next window begins unless there is a hole
	state state
	quote byte // that ends the string
	prev  byte // the last byte that is no blank and no comment: '"' stands for any value
	last  byte // the last byte of all
	guess bool // reading began in the middle: a quote may be the wrong one of a pair

	text    []byte // the string or literal that is not complete, or waits for what follows
	start   int64  // where it began
	cut     bool
	escape  uint8 // hexadecimal digits of \u that are missing
	unit    rune  // what \u has so far
	high    rune  // a high surrogate that waits for its other half
	pending Kind  // of text that waits
	waits   bool  // text is complete; a colon would make it a key
	glyphs  bool  // the string holds something besides blanks and structure
	comment int   // bytes of the comment so far

	key    []byte // of the value that follows
	keyed  bool
	keyCut bool
	levels []level
	names  []byte // the keys of the levels, one after another
	over   int    // containers beyond MaxDepth
	deep   bool   // there were some
}

// level is one open container.
type level struct {
	object bool
	cut    bool
	name   int // where its key begins in names
}

type state uint8

const (
	outside state = iota
	inString
	inEscape
	inHex
	inLiteral
	slash // may begin a comment
	inLine
	inBlock
	inStar
)

// New makes a tokenizer that calls emit for each token, in order. Tokens in
// containers beyond MaxDepth are passed over.
func New(emit func(*Token)) *Tokenizer { return &Tokenizer{emit: emit} }

// Window takes the next bytes of the file; data is not kept. A hole before off
// ends what is open.
func (z *Tokenizer) Window(off int64, data []byte) {
	switch {
	case !z.begun:
		z.guess = off > 0
	case off != z.next:
		z.Close()
		z.guess = true
	}
	z.begun, z.next = true, off+int64(len(data))
	for i := 0; i < len(data); {
		i = z.step(data, i, off)
	}
}

// Close ends what is open, at the end of the file. The tokenizer can be fed
// another part of the file afterwards.
func (z *Tokenizer) Close() {
	switch {
	case z.state == inString || z.state == inEscape || z.state == inHex:
		z.cut = true
		z.ends(String)
	case z.state == inLiteral:
		z.ends(Literal)
	}
	z.flush()
	z.unwind(z.next)
	z.state, z.prev, z.last, z.begun = outside, 0, 0, false
}

// Depth is how many containers are open, those beyond MaxDepth included.
func (z *Tokenizer) Depth() int { return len(z.levels) + z.over }

// Quiet says that nothing is open: a sleep now loses nothing.
func (z *Tokenizer) Quiet() bool {
	return len(z.levels) == 0 && z.over == 0 && !z.waits && !z.keyed && (z.state == outside || z.state == inLine)
}

// Missed tells why something was passed over, of all that was read so far.
func (z *Tokenizer) Missed(tell func(reason string)) {
	if z.deep {
		tell("JSON nested more than 64 deep")
	}
}

// Path is the key of the object that is up objects around the token in the
// callback: Path(0) is the token's own key, Path(1) that under which its object
// stands. Arrays do not count. Empty at the top and beyond it.
func (z *Tokenizer) Path(up int) []byte {
	if up == 0 {
		return z.tok.Key
	}
	for i := min(len(z.levels), z.tok.Depth) - 1; i >= 0; i-- {
		if !z.levels[i].object {
			continue
		}
		if up--; up == 0 {
			return z.name(i)
		}
	}
	return nil
}

// name is the key of an open container.
func (z *Tokenizer) name(i int) []byte {
	if i+1 < len(z.levels) {
		return z.names[z.levels[i].name:z.levels[i+1].name]
	}
	return z.names[z.levels[i].name:]
}

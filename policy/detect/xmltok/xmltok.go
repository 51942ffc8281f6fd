// Package xmltok cuts XML into tokens without a document in memory: it is fed
// windows of a file and calls back for each element and text. It is made for
// hostile and damaged input: text around documents, several of them, a
// beginning in the middle and tags that do not match are read as far as they
// make sense, and nothing is an error. A DOCTYPE is passed over: no entity is
// ever declared or expanded but the five predefined ones and characters by
// number.
//
// Memory is bounded by the constants below; elements beyond MaxDepth cost a
// counter. Time is linear.
package xmltok

// Bounds of what is kept.
const (
	MaxText  = 64 << 10 // bytes of the text between two tags, after decoding
	MaxName  = 64       // bytes of a name without its prefix
	MaxAttrs = 32       // attributes of an element
	MaxValue = 4 << 10  // bytes of an attribute's value
	MaxDepth = 64       // elements; what is deeper is passed over
	maxURI   = 128      // bytes of a name space
	maxSpace = 32       // name spaces that are declared at a time
	// maxSkip bounds a comment, an instruction and a DOCTYPE: what has not ended by
	// then is taken for text.
	maxSkip = 1 << 20
)

// Kind is what a token is.
type Kind uint8

const (
	Start Kind = iota
	End
	Text // all that stands between two tags, CDATA included, unless it is blank
)

// Token is an element's start or end, or text. It is valid during the call only.
type Token struct {
	Kind Kind
	Off  int64 // of its first byte in the file
	// Space is the name space, empty where its declaration was not seen; Prefix
	// and Name are as written. Of text: those of the element it stands in.
	Space, Prefix, Name []byte
	Attrs               []Attr // of a start, name spaces not among them
	Value               []byte // of text
	Cut                 bool   // the text, or a value among Attrs, was longer than the bound
	Unexpanded          bool   // the text or an attribute has an entity that the document declares
	// Depth counts the elements around it; an end has the depth of its start.
	Depth int
	// Unopened marks an end whose start was not seen, at depth 0.
	Unopened bool
	// Broken marks an end that is not in the file: another element's end, the
	// file's end or a hole came instead.
	Broken bool
}

// Attr is an attribute; its name is without its prefix.
type Attr struct{ Name, Value []byte }

// Attr is the value of the attribute of that name, nil when there is none.
func (t *Token) Attr(name string) []byte {
	for i := range t.Attrs {
		if string(t.Attrs[i].Name) == name {
			return t.Attrs[i].Value
		}
	}
	return nil
}

// Tokenizer cuts one file. Its callback may ask it for the path of the token
// that it is called with.
type Tokenizer struct {
	emit func(*Token)
	tok  Token

	begun   bool
	next    int64 // where the next window begins unless there is a hole
	state   state
	quote   byte
	escaped bool  // it stands behind a backslash
	mark    int64 // where the tag or what else began
	ended   bool  // the tag is an end tag
	empty   bool  // the tag ends with />

	text   []byte
	textAt int64
	cut    bool
	solid  bool   // the text is not blank
	entity []byte // after &
	into   state  // where the entity stands

	tag    []byte // the tag's name, then the attributes' names and values
	nameTo int    // where the tag's name ends in tag
	spans  []span
	attrs  []Attr

	word   []byte // what follows <!
	square int    // brackets within a DOCTYPE
	skip   int
	tail   int    // bytes of what ends a section that were seen
	last   uint64 // the last eight bytes of a DOCTYPE

	levels []level
	names  []byte // prefix and name of the levels, one after another
	over   int    // elements beyond MaxDepth
	spaces []space

	declares  bool // a DOCTYPE declared entities, or the beginning was not read
	missed    [misses]bool
	ownInText bool // an entity of the document's own is in the text
	ownInTag  bool // or in an attribute of the tag
	cutInTag  bool // an attribute of the tag is longer than the bound
}

// miss is a reason why something was passed over.
type miss uint8

const (
	deep miss = iota
	unknownEntity
	manyAttributes
	manySpaces
	misses
)

// Entities is what Missed tells of entities that a document declares.
const Entities = "XML with entities of its own, which are not expanded"

var reasons = [misses]string{
	deep:           "XML nested more than 64 deep",
	unknownEntity:  Entities,
	manyAttributes: "XML element with more than 32 attributes",
	manySpaces:     "XML with more than 32 name spaces at a time",
}

// span is an attribute within tag.
type span struct {
	name, value, end int
}

// level is one open element.
type level struct {
	name   int // where prefix and name begin in names
	prefix int // bytes of the prefix
	space  int // index into spaces, -1: not known
	keep   int // how many name spaces are declared around it
}

// space is the declaration of a prefix.
type space struct{ prefix, uri []byte }

// New makes a tokenizer that calls emit for each token, in order. Tokens beyond
// MaxDepth are passed over.
func New(emit func(*Token)) *Tokenizer { return &Tokenizer{emit: emit} }

// Window takes the next bytes of the file; data is not kept. A hole before off
// ends what is open.
func (z *Tokenizer) Window(off int64, data []byte) {
	if z.begun && off != z.next {
		z.Close()
	}
	if !z.begun {
		z.textAt, z.declares = off, off > 0
	}
	z.begun, z.next = true, off+int64(len(data))
	for i := 0; i < len(data); {
		i = z.step(data, i, off)
	}
}

// Close ends what is open, at the end of the file. The tokenizer can be fed
// another part of the file afterwards.
func (z *Tokenizer) Close() {
	if z.state == inEntity {
		z.unfinished()
	}
	z.flush()
	for len(z.levels) > 0 {
		z.pop(Token{Off: z.next, Broken: true})
	}
	z.state, z.over, z.begun = outside, 0, false
}

// Depth is how many elements are open, those beyond MaxDepth included.
func (z *Tokenizer) Depth() int { return len(z.levels) + z.over }

// Quiet says that nothing is open: a sleep now loses nothing.
func (z *Tokenizer) Quiet() bool { return z.Depth() == 0 && z.state == outside }

// Missed tells why something was passed over, of all that was read so far.
func (z *Tokenizer) Missed(tell func(reason string)) {
	for m, missed := range z.missed {
		if missed {
			tell(reasons[m])
		}
	}
}

// Path is the name of the element that is up elements around the token in the
// callback: Path(0) is that of the token, for text of the element it stands in.
// Empty beyond the top.
func (z *Tokenizer) Path(up int) []byte {
	if up == 0 {
		return z.tok.Name
	}
	n := min(len(z.levels), z.tok.Depth)
	if z.tok.Kind == Text {
		n--
	}
	if up > n {
		return nil
	}
	l := z.levels[n-up]
	return z.name(n - up)[l.prefix:]
}

// name is an open element's prefix and name.
func (z *Tokenizer) name(i int) []byte {
	if i+1 < len(z.levels) {
		return z.names[z.levels[i].name:z.levels[i+1].name]
	}
	return z.names[z.levels[i].name:]
}

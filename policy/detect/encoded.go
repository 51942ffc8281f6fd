package detect

import (
	"io"
	"slices"
	"strings"
)

// Encoded takes what a file holds in an encoding that hides it from detectors:
// attachments in base64, a document within a JSON string or escaped in XML. It
// is called where such a piece begins, with the offset and the encoding's name,
// and gives what the decoded bytes go to, or nil. What is written and when it is
// closed does not depend on how the file's bytes were divided.
type Encoded func(off int64, encoding string) io.WriteCloser

// encoding is one way in which a file holds another.
type encoding uint8

const (
	encBase64 encoding = iota
	encMIME            // base64 that begins behind the header that tells it
	encTagged          // base64 that begins behind the tag that tells it
	encJSON            // a string of JSON
	encXML             // text of an element
)

// String is the encoding's name in paths.
func (e encoding) String() string { return [...]string{"base64", "base64", "base64", "json", "xml"}[e] }

// text says that what is encoded is text of which most stands there as it is.
func (e encoding) text() bool { return e == encJSON || e == encXML }

// telling is an expression that tells that encoded content begins so many bytes
// behind the match's beginning.
type telling struct {
	expr string
	skip int
	enc  encoding
}

// tellings are where encoded content is looked for: the places that formats have
// for it, and how the files that matter begin in base64.
func tellings() []telling {
	const digit = "[A-Za-z0-9+/]"
	all := []telling{
		{"(?i)-encoding: base64", 0, encMIME}, // RFC 2045, 6.1
		{"(?i)-encoding:base64", 0, encMIME},
		{`(?i)representation="b64"`, 0, encTagged}, // CDA R2, 4.3.4.2: nonXMLBody
		{`\\"resourceType\\"`, 0, encJSON},
		{`\\"urn:hl7-org:v3\\"`, 0, encJSON},
		{`=\\"http://hl7\.org/fhir\\"`, 0, encJSON},
		{`&lt;ClinicalDocument`, 0, encXML},
		{`&lt;Bundle xmlns`, 0, encXML},
		{`&lt;Patient xmlns`, 0, encXML},
	}
	// A data URL (RFC 2397); Attachment.data and Binary.data of FHIR, as different
	// writers lay them out; OBX-5 of the type ED (HL7 v2.5.1, 2.A.24).
	for _, lead := range []string{`;base64,`, `"data":"`, `"data": "`, `"data" : "`, `Base64Binary":"`, `Base64Binary": "`,
		`<data value="`, `Base64Binary value="`, `\^Base64\^`, `\^BASE64\^`} {
		all = append(all, telling{lead + strings.Repeat(digit, 8), len(strings.ReplaceAll(lead, `\`, "")), encBase64})
	}
	// %PDF-, a zip entry, gzip, MSH|, ISA*, <?xml , <ClinicalDocument, {"resourceType", SQLite.
	for _, magic := range []string{"JVBERi0", "UEsDBBQ", "UEsDBAo", "H4sIA", "TVNIf", "SVNBK", "PD94bWwg", "PENsaW5pY2FsRG9jdW1lbn", "eyJyZXNvdXJjZVR5cGUi", "U1FMaXRlIGZvcm1hd"} {
		all = append(all, telling{`[^A-Za-z0-9+/=_\-]` + magic + digit + digit, 1, encBase64})
	}
	return all
}

// leastDecoded is how many decoded bytes a piece has at least: fewer are no file.
const leastDecoded = 24

// pieces finds and decodes the encoded content of one file.
type pieces struct {
	begin  Encoded
	tells  []telling
	starts []start // that were told
	head   int     // the first of them that was not reached
	done   int64   // what lies before was decoded
	open   bool
	dec    decoder
	pos    int64 // of the next byte of the piece that is open
	off    int64 // where it begins
	asked  bool  // whoever takes pieces was
	to     io.WriteCloser
	out    []byte // decoded and not written
	texts  []span // pieces of text that ended in what was fed last, and were taken to their ends
}

// span is what lies from one offset to another.
type span struct{ from, to int64 }

type start struct {
	off int64
	enc encoding
}

// tell notes that content may begin at a match; text is what stands before it.
func (p *pieces) tell(index int, off int64, text []byte) {
	t := p.tells[index]
	if t.enc == encJSON {
		off -= int64(sinceQuote(text[max(0, len(text)-NearBefore):]))
	}
	p.starts = append(p.starts, start{off + int64(t.skip), t.enc})
}

// sinceQuote is how many bytes before the end of the text the string of JSON
// begins that the end is in; all that is there where its beginning is not.
func sinceQuote(text []byte) int {
	for i := len(text) - 1; i >= 0; i-- {
		if text[i] == '\n' || text[i] == '"' && (i == 0 || text[i-1] != '\\') {
			return len(text) - 1 - i
		}
	}
	return len(text)
}

// feed takes the bytes that are held, those at off, up to where matches were told.
func (p *pieces) feed(data []byte, off int64) {
	p.texts = slices.DeleteFunc(p.texts, func(s span) bool { return s.to <= off })
	for p.open || p.next(off+int64(len(data))) {
		n, more := p.dec.decode(p, data[p.pos-off:])
		p.pos += int64(n)
		if more {
			return
		}
		p.close()
	}
}

// next begins the next piece before end that is not within the last.
func (p *pieces) next(end int64) bool {
	for ; p.head < len(p.starts) && p.starts[p.head].off < end; p.head++ {
		if s := p.starts[p.head]; s.off >= p.done {
			p.open, p.pos, p.off, p.asked = true, s.off, s.off, false
			p.dec = decoder{enc: s.enc, word: p.dec.word[:0]}
			p.head++
			return true
		}
	}
	p.starts, p.head = p.starts[:copy(p.starts, p.starts[p.head:])], 0
	return false
}

// put takes decoded bytes.
func (p *pieces) put(b ...byte) {
	if p.out = append(p.out, b...); len(p.out) >= 4<<10 {
		p.flush()
	}
}

func (p *pieces) flush() {
	if !p.asked {
		p.asked = true
		p.to = p.begin(p.off, p.dec.enc.String())
	}
	if p.to != nil {
		if _, err := p.to.Write(p.out); err != nil { // who takes it says what was lost
			_ = p.to.Close()
			p.to = nil
		}
	}
	p.out = p.out[:0]
}

// decoded says whether what stands from one offset to another lies within one
// piece of text that was taken so far.
func (p *pieces) decoded(from, to int64) bool {
	if slices.ContainsFunc(p.texts, func(s span) bool { return s.from <= from && to <= s.to }) {
		return true
	}
	if !p.open || !p.dec.enc.text() || from < p.off || to > p.pos {
		return false
	}
	p.flush()
	return p.to != nil
}

// reset forgets all of the last file.
func (p *pieces) reset(begin Encoded) {
	p.close()
	p.begin, p.starts, p.head, p.done, p.texts = begin, p.starts[:0], 0, 0, p.texts[:0]
}

// close ends the piece that is open.
func (p *pieces) close() {
	if !p.open {
		return
	}
	p.dec.finish(p)
	if len(p.out) >= leastDecoded || p.asked && len(p.out) > 0 {
		p.flush()
	}
	if p.to != nil {
		_ = p.to.Close()
		if p.dec.enc.text() {
			p.texts = append(p.texts, span{p.off, p.pos})
		}
	}
	p.open, p.to, p.out, p.done = false, nil, p.out[:0], p.pos
}

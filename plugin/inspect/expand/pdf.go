package expand

import (
	"bufio"
	"bytes"
	"compress/zlib"
	"encoding/ascii85"
	"encoding/hex"
	"errors"
	"io"
)

// A reader of the text in PDF files (ISO 32000-1). It finds the objects by
// reading the file once from its beginning and not by the tables that say where
// they are, so that a damaged table costs nothing and a false one leads nowhere. A
// stream is read at most once for text, so that loops end.

const (
	pdfObjects  = 300_000
	pdfUnpacked = 16 << 20 // bytes of all object streams together, kept
	pdfFields   = 4 << 20  // bytes of all form fields and titles
	pdfWork     = 50 << 20 // tokens read to follow references
	pdfHops     = 32       // from a page up to its resources
)

// pdfFile is what is known of a file.
type pdfFile struct {
	x         *expansion
	path      string
	src       io.ReaderAt
	size      int64
	objects   map[pdfRef]pdfPlace
	pages     []pdfRef
	fields    []byte // text outside of pages
	kept      int
	encrypted bool
	damaged   error
	fonts     map[pdfRef]*pdfFont
	codes     int // of fonts, that may still be kept
	work      int // tokens read to follow references
}

// pdfPlace is where an object is: at an offset in the file, or in an unpacked
// object stream.
type pdfPlace struct {
	at     int64  // after "obj"
	data   int64  // of its stream, 0 without one
	length int64  // of its stream
	within []byte // when it is in an object stream
}

func openPDF(x *expansion, path string, in input) error {
	f := &pdfFile{x: x, path: path, src: in.At, size: in.Size, objects: map[pdfRef]pdfPlace{}, fonts: map[pdfRef]*pdfFont{}, codes: pdfCodes}
	if err := f.index(); err != nil {
		return err
	}
	if f.encrypted {
		return reason("encrypted document")
	}
	text := &pdfText{f: f, seen: map[pdfRef]bool{}, out: f.fields}
	if err := x.leaf(inside(path, "text"), -1, text); err != nil {
		return err
	}
	if f.codes == 0 || len(f.fonts) >= pdfFonts {
		f.damaged = or(f.damaged, reason("more fonts than are kept: some characters were not understood"))
	}
	if len(f.pages) == 0 {
		f.damaged = or(f.damaged, errDamaged)
	}
	return f.damaged
}

// index reads the file once and notes its objects.
func (f *pdfFile) index() error {
	l := newPDFLexer(io.NewSectionReader(f.src, 0, f.size))
	var before [2]any // the two tokens before
	for {
		tok, err := l.next()
		if errors.Is(err, io.EOF) {
			return f.x.check()
		}
		if err := or(err, f.x.check()); err != nil {
			return err
		}
		switch tok {
		case pdfWord("obj"):
			if number, ok := before[0].(float64); ok && number > 0 && number < 1<<31 {
				if err := f.define(pdfRef(number), l); err != nil {
					return err
				}
			}
		case pdfWord("trailer"):
			if tok, err := l.next(); err == nil {
				l.items = 0
				dict, _ := l.object(tok, 0)
				f.trailer(dict)
			}
		}
		before = [2]any{before[1], tok}
	}
}

func (f *pdfFile) trailer(object any) {
	if dict, ok := object.(pdfDict); ok && dict["Encrypt"] != nil {
		f.encrypted = true
	}
}

// define notes an object whose beginning was just read.
func (f *pdfFile) define(number pdfRef, l *pdfLexer) error {
	place := pdfPlace{at: l.pos}
	tok, err := l.next()
	if err != nil {
		return ignore(err, io.EOF)
	}
	l.items, l.cut = 0, false
	object, err := l.object(tok, 0)
	f.strings(l)
	if err != nil && !errors.Is(err, errDamaged) {
		return ignore(err, io.EOF)
	}
	if len(f.objects) >= pdfObjects {
		return reason("too many objects")
	}
	dict, _ := object.(pdfDict)
	if tok, err := l.next(); err == nil && tok == pdfWord("stream") && dict != nil {
		if err := f.stream(dict, &place, l); err != nil {
			return err
		}
	}
	f.objects[number] = place
	f.note(number, dict)
	switch dict["Type"] {
	case pdfName("XRef"):
		f.trailer(dict)
	case pdfName("ObjStm"):
		if !f.encrypted {
			return f.unpack(dict, place)
		}
	}
	return nil
}

// strings notes that a string of the last object was cut.
func (f *pdfFile) strings(l *pdfLexer) {
	if l.cut {
		f.damaged = or(f.damaged, reason("strings of more than 64 KiB: they were read up to there"))
	}
}

// note keeps what an object says outside of pages' content.
func (f *pdfFile) note(number pdfRef, dict pdfDict) {
	if dict["Type"] == pdfName("Page") {
		f.pages = append(f.pages, number)
	}
	if len(f.fields) > pdfFields {
		f.damaged = or(f.damaged, reason("more than 4 MiB of form fields and titles"))
		return
	}
	if name, ok := dict["T"].([]byte); ok {
		if value, ok := dict["V"].([]byte); ok { // a form's field: 12.7.3
			f.fields = append(appendPDFString(f.fields, name), ": "...)
			f.fields = append(appendPDFString(f.fields, value), '\n')
		}
	}
	for _, key := range []pdfName{"Title", "Subject", "Keywords", "Contents"} { // 14.3.3, and notes: 12.5.2
		if value, ok := dict[key].([]byte); ok {
			f.fields = append(appendPDFString(f.fields, value), '\n')
		}
	}
}

// stream finds where a stream begins and ends: its length counts where its end
// stands there.
func (f *pdfFile) stream(dict pdfDict, place *pdfPlace, l *pdfLexer) error {
	if c, err := l.byte(); err == nil && c == '\r' {
		_, _ = l.byte()
	}
	place.data = l.pos
	const mark = "endstream"
	if length, ok := dict["Length"].(float64); ok && length >= 0 && length < float64(f.size) {
		var near [16]byte
		n, _ := f.src.ReadAt(near[:], place.data+int64(length))
		if bytes.HasPrefix(bytes.TrimLeft(near[:n], "\r\n \t"), []byte(mark)) {
			place.length = int64(length)
			l.pos = place.data + place.length
			l.r.Reset(io.NewSectionReader(f.src, l.pos, f.size-l.pos))
			return nil
		}
	}
	var last [len(mark)]byte
	for {
		c, err := l.byte()
		if err != nil {
			place.length = l.pos - place.data
			return ignore(err, io.EOF)
		}
		copy(last[:], last[1:])
		last[len(last)-1] = c
		if string(last[:]) == mark {
			place.length = l.pos - place.data - int64(len(mark))
			return f.x.check()
		}
	}
}

// unpack reads an object stream: 7.5.7.
func (f *pdfFile) unpack(dict pdfDict, place pdfPlace) error {
	r, err := f.filtered(dict, place)
	if err != nil {
		f.damaged = or(f.damaged, err)
		return nil
	}
	data, err := io.ReadAll(io.LimitReader(r, int64(pdfUnpacked-f.kept)))
	if f.kept += len(data); f.kept >= pdfUnpacked {
		f.damaged = or(f.damaged, reason("too many objects"))
	}
	if f.x.ended != nil {
		return f.x.ended
	}
	f.damaged = or(f.damaged, err)
	first, ok := dict["First"].(float64)
	if !ok || first < 0 || first > float64(len(data)) {
		return nil
	}
	head := newPDFLexer(bytes.NewReader(data[:int(first)]))
	for {
		number, err := head.next()
		offset, err2 := head.next()
		n, ok := number.(float64)
		at, ok2 := offset.(float64)
		if err != nil || err2 != nil || !ok || !ok2 || at < 0 || n < 0 || n > 1<<31 || first+at > float64(len(data)) {
			return nil
		}
		if err := or(f.x.check(), f.member(pdfRef(n), data[int(first+at):])); err != nil {
			return err
		}
	}
}

// member notes an object in an object stream.
func (f *pdfFile) member(number pdfRef, data []byte) error {
	if len(f.objects) >= pdfObjects {
		return reason("too many objects")
	}
	f.objects[number] = pdfPlace{within: data}
	dict, _ := f.parse(bytes.NewReader(data)).(pdfDict)
	f.note(number, dict)
	return nil
}

func (f *pdfFile) parse(r io.Reader) any {
	if f.work > pdfWork || f.x.check() != nil {
		f.damaged = or(f.damaged, reason("too many objects"))
		return nil
	}
	l := newPDFLexer(r)
	tok, err := l.next()
	if err != nil {
		return nil
	}
	object, _ := l.object(tok, 0)
	f.strings(l)
	f.work += 16 + l.items
	return object
}

// resolve follows a reference. Of a reference to a reference nothing comes.
func (f *pdfFile) resolve(object any) any {
	ref, ok := object.(pdfRef)
	if !ok {
		return object
	}
	place, ok := f.objects[ref]
	switch {
	case !ok:
		return nil
	case place.within != nil:
		return f.parse(bytes.NewReader(place.within))
	}
	return f.parse(io.NewSectionReader(f.src, place.at, f.size-place.at))
}

func (f *pdfFile) dict(object any) pdfDict {
	dict, _ := f.resolve(object).(pdfDict)
	return dict
}

// content opens the stream that a reference means.
func (f *pdfFile) content(ref pdfRef) (pdfDict, io.Reader, error) {
	place, ok := f.objects[ref]
	if !ok || place.data == 0 {
		return nil, nil, errDamaged
	}
	dict := f.dict(ref)
	r, err := f.filtered(dict, place)
	return dict, r, err
}

// filtered opens a stream's filters: 7.4.
func (f *pdfFile) filtered(dict pdfDict, place pdfPlace) (io.Reader, error) {
	in := &counted{r: io.NewSectionReader(f.src, place.data, place.length)}
	var r io.Reader = in
	names := []any{}
	switch filter := f.resolve(dict["Filter"]).(type) {
	case pdfName:
		names = append(names, filter)
	case []any:
		names = filter[:min(len(filter), 4)]
	}
	for _, name := range names {
		switch name {
		case pdfName("FlateDecode"), pdfName("Fl"):
			z, err := zlib.NewReader(r)
			if err != nil {
				return nil, err
			}
			r = z
		case pdfName("ASCII85Decode"), pdfName("A85"):
			r = ascii85.NewDecoder(&until{r: bufio.NewReader(r), end: '~'})
		case pdfName("ASCIIHexDecode"), pdfName("AHx"):
			r = hex.NewDecoder(&until{r: bufio.NewReader(r), end: '>', dense: true})
		default:
			return nil, reason("a filter that is not known")
		}
	}
	if len(names) == 0 {
		return r, nil
	}
	s := &stage{x: f.x, path: f.path, name: "PDF stream", r: r, in: in}
	params := f.resolve(dict["DecodeParms"])
	if list, ok := params.([]any); ok {
		params = last(list)
	}
	if predictor, _ := f.dict(params)["Predictor"].(float64); predictor > 1 {
		return nil, reason("a filter that is not known")
	}
	return s, nil
}

// until ends a text encoding at its mark; dense leaves space out.
type until struct {
	r     *bufio.Reader
	end   byte
	dense bool
	done  bool
}

func (u *until) Read(p []byte) (int, error) {
	for n := 0; ; {
		if n == len(p) || u.done {
			if n == 0 {
				return 0, io.EOF
			}
			return n, nil
		}
		c, err := u.r.ReadByte()
		switch {
		case err != nil && n > 0:
			return n, nil
		case err != nil:
			return 0, err
		case c == u.end:
			u.done = true
		case u.dense && pdfSpace(c):
		default:
			p[n] = c
			n++
		}
	}
}

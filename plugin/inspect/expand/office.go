package expand

import (
	"cmp"
	"encoding/binary"
	"errors"
	"io"
	"path"
	"slices"
	"strings"
)

// officeParts bounds the parts of a document that are known by name.
const officeParts = 20_000

// document is an Office Open XML (ECMA-376) or OpenDocument file: a zip archive
// of parts. Sheets become tables and the text of all other parts one leaf; what
// else is in the archive is visited like that of any other.
type document struct {
	x     *expansion
	path  string
	zip   *zipArchive
	parts map[string]zipEntry // by their names in lower case: part 2, 6.2.2.3
	names []string            // in the archive's order
	done  map[int64]bool      // parts that need no visit, by their offset
	more  bool                // there are parts that are not known by name
}

// openDocument visits a document.
func openDocument(x *expansion, path string, in input) error {
	z := &zipArchive{x: x, path: path, at: in.At, size: in.Size}
	if z.locate() != nil || z.verify() != nil {
		if err := x.check(); err != nil {
			return err
		}
		err := scanZip(x, path, io.NewSectionReader(in.At, 0, in.Size))
		return cmp.Or(x.ended, err, errZip)
	}
	d := &document{x: x, path: path, zip: z, parts: map[string]zipEntry{}, done: map[int64]bool{}}
	if err := z.each(d.note); err != nil {
		return err
	}
	if d.more {
		x.skip(path, "document of more than 20,000 parts: the others are looked at as files")
	}
	if err := d.visit(); err != nil {
		return err
	}
	return z.each(func(e *zipEntry) error {
		if d.done[e.offset] {
			return x.check()
		}
		return z.visit(e)
	})
}

func (d *document) note(e *zipEntry) error {
	name := strings.ToLower(e.name)
	switch _, known := d.parts[name]; {
	case known:
	case len(d.parts) == officeParts || len(name) > 256:
		d.more = true
	default:
		d.parts[name] = *e
		d.names = append(d.names, name)
	}
	return d.x.check()
}

func (d *document) has(name string) bool {
	_, ok := d.parts[name]
	return ok
}

// visit visits what the document is about.
func (d *document) visit() error {
	switch {
	case d.has("xl/workbook.xml"):
		return d.workbook()
	case d.has("xl/workbook.bin"):
		d.x.skip(d.path, "binary workbook is not looked into")
		return d.x.check()
	case d.has("word/document.xml"):
		return d.text(false, d.matching("word/", "header", "document", "footer", "footnotes", "endnotes", "comments", "glossary/document"))
	case d.has("ppt/presentation.xml"):
		return d.text(false, d.matching("ppt/", "slides/slide", "notesslides/notesslide", "comments/comment"))
	case d.has("content.xml") && d.has("mimetype"):
		return d.open()
	}
	return nil
}

// matching are the XML parts of a folder whose names begin so, in this order.
func (d *document) matching(folder string, prefixes ...string) []string {
	var found []string
	for _, prefix := range prefixes {
		for _, name := range d.names {
			if strings.HasPrefix(name, folder+prefix) && path.Ext(name) == ".xml" {
				found = append(found, name)
			}
		}
	}
	return found
}

// open visits an OpenDocument file.
func (d *document) open() error {
	encrypted := false
	if err := d.read("meta-inf/manifest.xml", func(r io.Reader) error {
		return eachStart(r, func(_ *xmlScanner, name string) { encrypted = encrypted || name == "encryption-data" })
	}); err != nil {
		return err
	}
	if encrypted {
		d.done[d.parts["content.xml"].offset] = true
		d.x.skip(d.path, "encrypted document")
		return d.x.check()
	}
	sheets := false
	err := d.read("content.xml", func(r io.Reader) error {
		return eachStart(r, func(_ *xmlScanner, name string) { sheets = sheets || name == "spreadsheet" })
	})
	if err != nil || !sheets {
		return or(err, d.text(true, []string{"styles.xml", "content.xml"}))
	}
	return d.read("content.xml", func(r io.Reader) error { return readOpenSheets(r, d.table) })
}

func (d *document) table(name string) *rows { return d.x.table(inside(d.path, name), nil) }

// read opens a part, if there is one. Trouble with it is told; an error is why
// the expansion has ended.
func (d *document) read(name string, use func(io.Reader) error) error {
	e, ok := d.parts[name]
	if !ok {
		return d.x.check()
	}
	d.done[e.offset] = true
	where := inside(d.path, e.name)
	r, done, err := d.reader(where, &e)
	if err == nil {
		err = use(r)
		done()
	}
	if err != nil && !errors.Is(err, errStop) && d.x.ended == nil {
		d.x.skip(where, inWords("part of a document", err))
	}
	return d.x.check()
}

// reader is the content of a part.
func (d *document) reader(where string, e *zipEntry) (io.Reader, func(), error) {
	var h [zipLocalLen]byte
	at := d.zip.base + e.offset
	if e.flags&(zipEncrypted|zipMasked) != 0 || e.method == zipAES {
		return nil, nil, reason("encrypted archive entry")
	}
	if e.offset < 0 || e.compressed < 0 || at > d.zip.size {
		return nil, nil, errDamaged
	}
	if _, err := d.zip.at.ReadAt(h[:], at); err != nil {
		return nil, nil, err
	}
	at += zipLocalLen + int64(binary.LittleEndian.Uint16(h[26:])) + int64(binary.LittleEndian.Uint16(h[28:]))
	in := &counted{r: io.NewSectionReader(d.zip.at, at, e.compressed)}
	buf := d.x.tools.buffer(in)
	content, done, err := d.x.zipMethod(e, buf)
	if err != nil {
		d.x.tools.unbuffer(buf)
		return nil, nil, err
	}
	free := func() { done(); d.x.tools.unbuffer(buf) }
	return &stage{x: d.x, path: where, name: "part of a document", r: content, in: in}, free, nil
}

// text hands out the text of these parts, one after the other, as one leaf.
func (d *document) text(odf bool, names []string) error {
	if len(names) == 0 {
		return d.x.check()
	}
	t := &partsText{d: d, odf: odf, names: names}
	defer t.close()
	err := d.x.leaf(inside(d.path, "text"), -1, t)
	for _, f := range t.bad {
		d.x.skip(f.path, f.reason)
	}
	return err
}

// partsText opens part after part as it is read.
type partsText struct {
	d     *document
	odf   bool
	names []string
	where string
	r     io.Reader
	done  func()
	bad   []fault // told at the end: the visitor reads
}

func (t *partsText) Read(p []byte) (int, error) {
	for {
		if t.r == nil && !t.next() {
			return 0, or(t.d.x.ended, io.EOF)
		}
		n, err := t.r.Read(p)
		if err != nil {
			t.failed(err)
			t.close()
		}
		if n > 0 {
			return n, nil
		}
	}
}

// next opens the next part that can be opened.
func (t *partsText) next() bool {
	for len(t.names) > 0 && t.d.x.check() == nil {
		e, ok := t.d.parts[t.names[0]]
		t.names = t.names[1:]
		if !ok {
			continue
		}
		t.d.done[e.offset] = true
		t.where = inside(t.d.path, e.name)
		r, done, err := t.d.reader(t.where, &e)
		if err == nil {
			t.r, t.done = newDocumentText(r, t.odf), done
			return true
		}
		t.failed(err)
	}
	return false
}

func (t *partsText) failed(err error) {
	if err != io.EOF && t.d.x.ended == nil {
		t.bad = append(t.bad, fault{path: t.where, reason: inWords("part of a document", err)})
	}
}

func (t *partsText) close() {
	if t.done != nil {
		t.done()
	}
	t.r, t.done = nil, nil
}

// workbook visits the sheets, hidden ones too, in the order that the workbook
// gives them, and then those that it does not name.
func (d *document) workbook() error {
	var b workbook
	var sheets []sheetName
	var targets map[string]string
	steps := []struct {
		part string
		read func(io.Reader) (err error)
	}{
		{"xl/workbook.xml", func(r io.Reader) (err error) { sheets, err = b.readWorkbook(r); return err }},
		{"xl/_rels/workbook.xml.rels", func(r io.Reader) (err error) { targets, err = readRelations(r); return err }},
		{"xl/styles.xml", func(r io.Reader) (err error) { b.dates, err = readStyles(r); return err }},
		{"xl/sharedstrings.xml", func(r io.Reader) (err error) { b.shared, err = readShared(r); return err }},
	}
	for _, s := range steps {
		if err := d.read(s.part, s.read); err != nil {
			return err
		}
	}
	defer d.x.database(d.path)()
	for _, s := range sheets {
		target := strings.ToLower(targets[s.id])
		if !strings.HasPrefix(target, "/") {
			target = "/xl/" + target
		}
		if err := d.sheet(&b, path.Clean(target)[1:], s.name); err != nil {
			return err
		}
	}
	for _, part := range d.matching("xl/worksheets/", "") {
		if err := d.sheet(&b, part, path.Base(part)); err != nil {
			return err
		}
	}
	return d.text(false, slices.Concat(d.matching("xl/", "comments", "threadedcomments/"), d.matching("xl/drawings/", "drawing")))
}

// sheet visits a sheet unless that was done.
func (d *document) sheet(b *workbook, part, name string) error {
	if e, ok := d.parts[part]; !ok || d.done[e.offset] {
		return d.x.check()
	}
	return d.read(part, func(r io.Reader) error {
		to := d.table(name)
		if to == nil {
			return nil
		}
		defer to.close()
		return b.readSheet(r, to)
	})
}

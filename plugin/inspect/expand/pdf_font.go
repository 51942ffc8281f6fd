package expand

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

const (
	pdfFonts = 1_000
	pdfCodes = 400_000 // of all fonts' maps, about 40 MiB
)

// pdfFont says which characters the codes in a string mean: 9.10.
type pdfFont struct {
	wide  bool              // codes of two bytes
	codes map[uint32]string // those that are not their own character
	left  *int              // codes that all fonts together may still have
}

func (f *pdfFont) set(code uint32, text string) {
	if *f.left > 0 {
		*f.left--
		f.codes[code] = text
	}
}

// font is the font that the resources name.
func (f *pdfFile) font(resources pdfDict, name pdfName) *pdfFont {
	ref, ok := f.dict(resources["Font"])[name].(pdfRef)
	if !ok {
		return nil
	}
	if font, ok := f.fonts[ref]; ok || len(f.fonts) >= pdfFonts {
		return font
	}
	font := f.readFont(f.dict(ref))
	f.fonts[ref] = font
	return font
}

func (f *pdfFile) readFont(dict pdfDict) *pdfFont {
	font := &pdfFont{wide: dict["Subtype"] == pdfName("Type0"), codes: map[uint32]string{}, left: &f.codes}
	if encoding := f.dict(dict["Encoding"]); encoding != nil {
		differences, _ := f.resolve(encoding["Differences"]).([]any)
		font.differences(differences)
	}
	if ref, ok := dict["ToUnicode"].(pdfRef); ok {
		if _, r, err := f.content(ref); err == nil {
			font.readMap(newPDFLexer(r))
		}
	}
	return font
}

// differences takes an encoding's names of characters: 9.6.6.1.
func (f *pdfFont) differences(items []any) {
	code := uint32(0)
	for _, item := range items {
		switch v := item.(type) {
		case float64:
			code = uint32(max(0, min(v, 1<<16)))
		case pdfName:
			if s := glyph(string(v)); s != "" {
				f.set(code, s)
			}
			code++
		}
	}
}

// glyph is the character that a name in the Adobe Glyph List means, of those that
// names, numbers and dates are written with; empty when not known.
func glyph(name string) string {
	if len(name) == 1 {
		return name
	}
	if len(name) == 7 && strings.HasPrefix(name, "uni") {
		if r, err := strconv.ParseUint(name[3:], 16, 16); err == nil {
			return string(rune(r))
		}
	}
	const names = "space exclam quotedbl numbersign dollar percent ampersand quotesingle parenleft parenright asterisk plus comma hyphen period slash " +
		"zero one two three four five six seven eight nine colon semicolon less equal greater question at"
	for i, n := range strings.Fields(names) {
		if n == name {
			return string(rune(' ' + i))
		}
	}
	switch name {
	case "underscore":
		return "_"
	case "minus", "endash", "emdash", "hyphenminus":
		return "-"
	case "quoteright", "quoteleft":
		return "'"
	case "fi":
		return "fi"
	case "fl":
		return "fl"
	}
	return ""
}

// readMap reads a ToUnicode map: 9.10.3.
func (f *pdfFont) readMap(l *pdfLexer) {
	var operands []any
	for *f.left > 0 {
		tok, err := l.next()
		if err == nil {
			l.items = 0
			tok, err = l.object(tok, 0)
		}
		if err != nil {
			return
		}
		switch tok {
		case pdfWord("begincodespacerange"), pdfWord("beginbfchar"), pdfWord("beginbfrange"):
			operands = operands[:0]
		case pdfWord("endcodespacerange"):
			if code, ok := last(operands).([]byte); ok {
				f.wide = len(code) == 2
			}
		case pdfWord("endbfchar"):
			for i := 0; i+1 < len(operands); i += 2 {
				f.mapped(operands[i], operands[i], operands[i+1])
			}
		case pdfWord("endbfrange"):
			for i := 0; i+2 < len(operands); i += 3 {
				f.mapped(operands[i], operands[i+1], operands[i+2])
			}
		default:
			if len(operands) < 3*256 {
				operands = append(operands, tok)
			}
		}
	}
}

func last(items []any) any {
	if len(items) == 0 {
		return nil
	}
	return items[len(items)-1]
}

// mapped takes a range of codes and the first one's text, or the text of each.
func (f *pdfFont) mapped(from, to, text any) {
	begin, ok := from.([]byte)
	end, ok2 := to.([]byte)
	if !ok || !ok2 || len(begin) == 0 || len(begin) > 2 || len(end) > 2 {
		return
	}
	low, high := uint32(signed(append([]byte{0}, begin...))), uint32(signed(append([]byte{0}, end...)))
	each, _ := text.([]any)
	first, _ := text.([]byte)
	for code := low; code <= high && *f.left > 0; code++ {
		if int(code-low) < len(each) {
			first, _ = each[code-low].([]byte)
		}
		if len(first) > 64 || len(first) < 2 {
			return
		}
		f.set(code, pdfUTF16(first))
		if each == nil { // the last byte counts up
			first = append([]byte(nil), first...)
			first[len(first)-1]++
		}
	}
}

func pdfUTF16(s []byte) string { return string(appendUTF16(nil, s, true)) }

// append appends a string's characters. Codes without a map are those of Latin-1,
// whose letters are where all simple encodings have them.
func (f *pdfFont) append(dst, s []byte) []byte {
	if f == nil {
		f = &pdfFont{}
	}
	for len(s) > 0 {
		code := uint32(s[0])
		s = s[1:]
		if f.wide && len(s) > 0 {
			code = code<<8 | uint32(s[0])
			s = s[1:]
		}
		if text, ok := f.codes[code]; ok {
			dst = append(dst, text...)
			continue
		}
		if r := rune(code); r >= ' ' && !utf16.IsSurrogate(r) {
			dst = utf8.AppendRune(dst, r)
		}
	}
	return dst
}

// appendPDFString appends a text string: 7.9.2.2.
func appendPDFString(dst, s []byte) []byte {
	switch {
	case len(s) >= 2 && s[0] == 0xFE && s[1] == 0xFF:
		return appendUTF16(dst, s[2:], true)
	case len(s) >= 3 && string(s[:3]) == "\uFEFF":
		return append(dst, s[3:]...)
	}
	return (*pdfFont)(nil).append(dst, s)
}

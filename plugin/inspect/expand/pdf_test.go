package expand

import (
	"bytes"
	"compress/zlib"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// pdfOf makes a file of objects, numbered from 1, without a table of where they are.
func pdfOf(objects ...string) []byte {
	var b bytes.Buffer
	b.WriteString("%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
	for i, o := range objects {
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", i+1, o)
	}
	b.WriteString("trailer <</Root 1 0 R>>\n%%EOF\n")
	return b.Bytes()
}

func pdfStream(dict, data string) string {
	return fmt.Sprintf("<<%s/Length %d>>\nstream\n%s\nendstream", dict, len(data), data)
}

func zlibbed(t testing.TB, s string) string {
	var b bytes.Buffer
	z := zlib.NewWriter(&b)
	if _, err := z.Write([]byte(s)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

const (
	pdfPage  = "<</Type/Page/Parent 9 0 R/Resources<</Font<</F1 3 0 R>>>>/Contents 2 0 R>>"
	pdfFont1 = "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"
	pdfLines = "BT /F1 12 Tf 72 700 Td (Name: Family1) Tj 0 -14 Td [(Bo) 20 (rn:) -300 (1950\\0551-2)] TJ 200 0 Td (right) Tj T* (MRN \\(7\\)) ' ET"
	pdfWant  = "Name: Family1\nBorn: 1950-1-2\tright\nMRN (7)\n"
)

func pdfSamples(t testing.TB) map[string][]byte {
	wide := "/CIDInit begincmap 1 begincodespacerange <0000> <FFFF> endcodespacerange 1 beginbfrange <0003> <0005> <0041> endbfrange 1 beginbfchar <0010> <00FC0062> endbfchar endcmap"
	first, second := pdfPage, pdfFont1
	members := fmt.Sprintf("1 0 3 %d ", len(first)+1)
	return map[string][]byte{
		"plain":    pdfOf(pdfPage, pdfStream("", pdfLines), pdfFont1),
		"flate":    pdfOf(pdfPage, pdfStream("/Filter/FlateDecode", zlibbed(t, pdfLines)), pdfFont1),
		"hex":      pdfOf(pdfPage, pdfStream("/Filter[/ASCIIHexDecode]", fmt.Sprintf("%x>", pdfLines)), pdfFont1),
		"length":   pdfOf(pdfPage, strings.Replace(pdfStream("", pdfLines), "/Length ", "/Length 4 0 R/X ", 1), pdfFont1, "7"),
		"objects":  pdfOf("null", pdfStream("", pdfLines), "null", pdfStream(fmt.Sprintf("/Type/ObjStm/N 2/First %d/Filter/FlateDecode", len(members)), zlibbed(t, members+first+" "+second))),
		"pieces":   pdfOf(strings.Replace(pdfPage, "2 0 R", "[4 0 R 2 0 R]", 1), pdfStream("", pdfLines), pdfFont1, pdfStream("", "q ")),
		"form":     pdfOf(strings.Replace(pdfPage, "/Font", "/XObject<</X 4 0 R>>/Font", 1), pdfStream("", "q /X Do Q /X Do"), pdfFont1, pdfStream("/Subtype/Form", pdfLines)),
		"inherits": pdfOf("<</Type/Page/Parent 4 0 R/Contents 2 0 R>>", pdfStream("", pdfLines), pdfFont1, "<</Type/Pages/Resources<</Font<</F1 3 0 R>>>>>>"),
		"image":    pdfOf(pdfPage, pdfStream("", "BI /W 1 ID (\x00(\xff EI "+pdfLines), pdfFont1),
		"to_unicode": pdfOf(pdfPage, pdfStream("", "BT /F1 9 Tf <000300040005> Tj <0010> Tj ET"), "<</Type/Font/Subtype/Type0/Encoding/Identity-H/ToUnicode 4 0 R>>",
			pdfStream("", wide)),
		"differences": pdfOf(pdfPage, pdfStream("", "BT /F1 9 Tf (\\001\\002\\003x) Tj ET"), "<</Type/Font/Subtype/Type1/Encoding<</Differences[1/A/two/uni00FC]>>>>"),
		"field":       pdfOf("<</FT/Tx/T(DOB)/V(1950-01-02)>>", "<</Type/Page>>", "<</FT/Tx/T<FEFF004E>/V(Family1)>>"),
	}
}

func TestPDF(t *testing.T) {
	want := map[string]string{"to_unicode": "ABCüb\n", "differences": "A2üx\n", "field": "DOB: 1950-01-02\nN: Family1\n"}
	for name, data := range pdfSamples(t) {
		t.Run(name, func(t *testing.T) {
			f := look(t, "/a.pdf", data, 0)
			w, ok := want[name]
			if !ok {
				w = pdfWant
			}
			if diff := cmp.Diff(map[string]string{"/a.pdf!text": w}, f.files); diff != "" {
				t.Errorf("text (-want +got):\n%s", diff)
			}
			if len(f.skips) != 0 {
				t.Errorf("skips: %q", f.skips)
			}
		})
	}
}

func TestPDFNotLookedInto(t *testing.T) {
	for _, tc := range []struct {
		name, want string
		data       []byte
	}{
		{"encrypted", "encrypted document", bytes.Replace(pdfOf(pdfPage, pdfStream("", pdfLines)), []byte("/Root"), []byte("/Encrypt 9 0 R/Root"), 1)},
		{"encrypted_stream_table", "encrypted document", pdfOf(pdfPage, pdfStream("/Type/XRef/Encrypt 9 0 R", "x"))},
		{"filter", "a filter that is not known", pdfOf(pdfPage, pdfStream("/Filter/LZWDecode", "x"), pdfFont1)},
		{"no_pages", "damaged PDF document", pdfOf("<<>>")},
		{"truncated", "truncated PDF stream", pdfOf(pdfPage, pdfStream("/Filter/FlateDecode", zlibbed(t, pdfLines)[:30]), pdfFont1)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := look(t, "/a.pdf", tc.data, 0)
			if diff := cmp.Diff([]string{"/a.pdf: " + tc.want}, f.skips); diff != "" {
				t.Errorf("skips (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPDFLoops(t *testing.T) {
	many := make([]string, 0, 20_000)
	for range cap(many) {
		many = append(many, "<</Type/Page/Parent 1 0 R/Resources 1 0 R/Contents 2 0 R>>")
	}
	big := make([]string, 500)
	for i := range big {
		big[i] = fmt.Sprintf("<</Type/Page/Resources %d 0 R/Contents[%s]>>", i%len(big)+1, strings.Repeat("1 0 R ", 1000))
	}
	for name, data := range map[string][]byte{
		"length_in_itself":   pdfOf("<</Type/ObjStm/N 2/First 10/Length 1 0 R>>\nstream\n1 0 2 2  30\nendstream"),
		"parents":            pdfOf("<</Type/Page/Parent 2 0 R>>", "<</Parent 1 0 R>>"),
		"reference":          pdfOf("1 0 R", "<</Type/Page/Contents 1 0 R/Resources 1 0 R>>"),
		"form_in_itself":     pdfOf(strings.Replace(pdfPage, "/Font", "/XObject<</X 4 0 R>>/Font", 1), pdfStream("", "/X Do"), pdfFont1, pdfStream("/Subtype/Form/Resources<</XObject<</X 4 0 R/Y 2 0 R>>>>", "/X Do /Y Do")),
		"deep":               pdfOf(strings.Repeat("[", 1<<20)),
		"deep_dictionaries":  pdfOf(strings.Repeat("<</A", 1<<20)),
		"never_ends":         append(pdfOf(pdfPage, pdfStream("", "(")), bytes.Repeat([]byte("("), 1<<20)...),
		"pages":              pdfOf(many...),
		"big_pages":          pdfOf(big...),
		"font_map":           pdfOf(pdfPage, pdfStream("", pdfLines), "<</Type/Font/ToUnicode 4 0 R>>", pdfStream("", strings.Repeat("1 beginbfrange <0000> <FFFF> <0041> endbfrange ", 1000))),
		"operators_for_ever": pdfOf(pdfPage, pdfStream("/Filter/FlateDecode", zlibbed(t, strings.Repeat("q ", 30<<20))), pdfFont1),
	} {
		t.Run(name, func(t *testing.T) { look(t, "/a.pdf", data, 0) })
	}
}

func TestPDFCutAndSpoilt(t *testing.T) {
	for _, name := range []string{"objects", "to_unicode"} {
		cutAndSpoilt(t, "/a.pdf", pdfSamples(t)[name])
	}
}

func FuzzPDF(f *testing.F) {
	for _, data := range pdfSamples(f) {
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) { look(t, "/a.pdf", append([]byte("%PDF-"), data...), 0) })
}

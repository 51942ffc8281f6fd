package expand

import (
	"archive/zip"
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// parcel makes a zip archive of names and contents, in their order.
func parcel(t testing.TB, parts ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := 0; i < len(parts); i += 2 {
		w, err := z.Create(parts[i])
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(parts[i+1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

const (
	types   = `<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>`
	book    = `<workbook xmlns:r="u"><sheets><sheet name="Patients &amp; co" sheetId="1" r:id="rId7"/><sheet name="Hidden" state="hidden" sheetId="2" r:id="rId8"/></sheets></workbook>`
	rels    = `<Relationships><Relationship Id="rId7" Target="worksheets/sheet2.xml"/><Relationship Id="rId8" Target="/xl/worksheets/sheet1.xml"/></Relationships>`
	styles  = `<styleSheet><numFmts><numFmt numFmtId="164" formatCode="dd\.mm\.yyyy"/><numFmt numFmtId="165" formatCode="0.00&quot; days&quot;"/></numFmts><cellStyleXfs><xf numFmtId="14"/></cellStyleXfs><cellXfs><xf numFmtId="0"/><xf numFmtId="14"/><xf numFmtId="164"/><xf numFmtId="165"/></cellXfs></styleSheet>`
	shared  = `<sst><si><t>name</t></si><si><r><t>Fam</t></r><r><t xml:space="preserve">ily1</t></r><rPh><t>nope</t></rPh></si><si/><si><t>a&lt;b&#65;</t></si></sst>`
	sheet   = `<worksheet><sheetData><row r="1"><c r="A1" t="s"><v>0</v></c><c r="C1" t="inlineStr"><is><t>dob</t></is></c></row><row/><row><c t="s"><v>1</v></c><c s="1"><v>20000</v></c><c s="2"><v>1.5</v></c><c s="3"><v>40000</v></c><c><f>A1</f><v>1.234567890E9</v></c><c t="str"><v>x</v></c><c t="d"><v>1950-02-03T00:00:00</v></c><c t="s"><v>3</v></c><c t="s"><v>99</v></c></row></sheetData></worksheet>`
	hidden  = `<worksheet><sheetData><row><c><v>1</v></c></row></sheetData></worksheet>`
	content = `<office:document-content xmlns:office="o" xmlns:text="t" xmlns:table="tb"><office:body>%s</office:body></office:document-content>`
)

func workbookFile(t testing.TB) []byte {
	return parcel(t, "[Content_Types].xml", types, "xl/workbook.xml", book, "xl/_rels/workbook.xml.rels", rels, "xl/styles.xml", styles,
		"xl/sharedStrings.xml", shared, "xl/worksheets/sheet1.xml", hidden, "xl/worksheets/sheet2.xml", sheet, "xl/media/note.txt", "beside")
}

func TestWorkbook(t *testing.T) {
	f := look(t, "/a.xlsx", workbookFile(t), 0)
	want := map[string][]string{
		"/a.xlsx!Patients & co": {"name||dob", "Family1|1954-10-03|1900-01-01|40000|1234567890|x|1950-02-03|a<bA"},
		"/a.xlsx!Hidden":        {"1"},
	}
	if diff := cmp.Diff(want, f.tables); diff != "" {
		t.Errorf("tables (-want +got):\n%s", diff)
	}
	if f.files["/a.xlsx!xl/media/note.txt"] != "beside" || len(f.skips) != 0 {
		t.Errorf("files %d, skips %q", len(f.files), f.skips)
	}
}

func TestDocuments(t *testing.T) {
	word := `<w:document xmlns:w="w"><w:body><w:p><w:r><w:t>Name: Fam</w:t></w:r><w:r><w:t>ily1</w:t><w:tab/><w:t>born &#49;950</w:t></w:r></w:p>` +
		`<w:tbl><w:tr><w:tc><w:p><w:r><w:t>a</w:t></w:r></w:p></w:tc><w:tc><w:p><w:r><w:t>b</w:t></w:r></w:p></w:tc></w:tr></w:tbl>` +
		`<w:p><w:r><w:delText>gone</w:delText></w:r></w:p></w:body></w:document>`
	for _, tc := range []struct {
		name, path, want string
		data             []byte
	}{
		{"docx", "/a.docx", "head\nName: Family1\tborn 1950\na \tb \t\ngone\nremark\n", parcel(t, "[Content_Types].xml", types, "word/document.xml", word,
			"word/comments.xml", `<w:c><w:p><w:t>remark</w:t></w:p></w:c>`, "word/header1.xml", `<w:hdr><w:p><w:r><w:t>head</w:t></w:r></w:p></w:hdr>`)},
		{"pptx", "/a.pptx", "one\ntwo\n", parcel(t, "[Content_Types].xml", types, "ppt/presentation.xml", `<p/>`, "ppt/slides/slide1.xml", `<p:sld><a:p><a:r><a:t>one</a:t></a:r></a:p></p:sld>`,
			"ppt/slides/slide2.xml", `<p:sld><a:p><a:r><a:t>two</a:t></a:r></a:p></p:sld>`)},
		{"odt", "/a.odt", "Head\nOne two\n", parcel(t, "mimetype", "application/vnd.oasis.opendocument.text", "content.xml",
			fmt.Sprintf(content, `<office:text>not text<text:h>Head</text:h><text:p>One<text:s/><text:span>two</text:span></text:p></office:text>`))},
		{"utf16_part", "/a.docx", "Müller\n", parcel(t, "[Content_Types].xml", types, "word/document.xml", wideText(`<w:p><w:t>Müller</w:t></w:p>`))},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := look(t, tc.path, tc.data, 0)
			if diff := cmp.Diff(tc.want, f.files[tc.path+"!text"]); diff != "" {
				t.Errorf("text (-want +got):\n%s", diff)
			}
			if len(f.skips) != 0 {
				t.Errorf("skips: %q", f.skips)
			}
		})
	}
}

func wideText(s string) string {
	out := []byte{0xFF, 0xFE}
	for _, r := range s {
		out = append(out, byte(r), byte(r>>8))
	}
	return string(out)
}

func TestOpenSpreadsheet(t *testing.T) {
	body := `<office:spreadsheet><table:table table:name="One"><table:table-row><table:table-cell><text:p>name</text:p></table:table-cell>` +
		`<table:table-cell table:number-columns-repeated="2"/><table:table-cell><text:p>dob</text:p></table:table-cell><table:table-cell table:number-columns-repeated="16000"/></table:table-row>` +
		`<table:table-row><table:table-cell><text:p>Family1</text:p></table:table-cell><table:table-cell office:date-value="1950-02-03T00:00:00"><text:p>3 Feb 50</text:p></table:table-cell></table:table-row>` +
		`<table:table-row table:number-rows-repeated="1000000"><table:table-cell/></table:table-row></table:table></office:spreadsheet>`
	f := look(t, "/a.ods", parcel(t, "mimetype", "application/vnd.oasis.opendocument.spreadsheet", "content.xml", fmt.Sprintf(content, body)), 0)
	want := map[string][]string{"/a.ods!One": {"name|||dob", "Family1|1950-02-03"}}
	if diff := cmp.Diff(want, f.tables); diff != "" {
		t.Errorf("tables (-want +got):\n%s", diff)
	}
}

func TestDocumentsNotLookedInto(t *testing.T) {
	ole := make([]byte, 2048)
	copy(ole, oleMagic)
	ole[30] = 9
	sealed := bytes.Clone(ole)
	copy(sealed[600:], "E\x00n\x00c\x00r\x00y\x00p\x00t\x00e\x00d\x00P\x00a\x00c\x00k\x00a\x00g\x00e\x00")
	manifest := `<manifest:manifest><manifest:file-entry><manifest:encryption-data/></manifest:file-entry></manifest:manifest>`
	tape := append([]byte("TAPE"), make([]byte, 100)...)
	for _, tc := range []struct {
		name, path, want string
		data             []byte
	}{
		{"legacy", "/a.doc", "/a.doc: not looked into: legacy Office document", ole},
		{"encrypted_office", "/a.docx", "/a.docx: encrypted document", sealed},
		{"encrypted_open_document", "/a.odt", "/a.odt: encrypted document", parcel(t, "mimetype", "x", "META-INF/manifest.xml", manifest, "content.xml", "\x01\x02")},
		{"binary_workbook", "/a.xlsb", "/a.xlsb: binary workbook is not looked into", parcel(t, "[Content_Types].xml", types, "xl/workbook.bin", "x")},
		{"access", "/a.mdb", "/a.mdb: Access database is not looked into", []byte("\x00\x01\x00\x00Standard Jet DB\x00")},
		{"avro", "/a.avro", "/a.avro: Avro file is not looked into", []byte("Obj\x01\x04\x14avro.codec")},
		{"tape", "/a.bak", "/a.bak: SQL Server backup is not looked into", tape},
		{"iris", "/x/IRIS.DAT", "/x/IRIS.DAT: Caché or IRIS database is not looked into", []byte("anything")},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := look(t, tc.path, tc.data, 0)
			if diff := cmp.Diff([]string{tc.want}, f.skips); diff != "" {
				t.Errorf("skips (-want +got):\n%s", diff)
			}
		})
	}
}

// No entity expands, neither one in another a billion times nor one that names a file.
func TestXMLEntitiesDoNotExpand(t *testing.T) {
	bomb := `<?xml version="1.0"?><!DOCTYPE w [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;"><!ENTITY f SYSTEM "file:///etc/passwd">]><w><w:p><w:t>&b;&f;</w:t></w:p></w>`
	f := look(t, "/a.docx", parcel(t, "[Content_Types].xml", types, "word/document.xml", bomb), 0)
	if got := f.files["/a.docx!text"]; got != "&b;&f;\n" {
		t.Errorf("got %d bytes", len(got))
	}
}

func TestWorkbookHostile(t *testing.T) {
	parts := func(sheet, shared string) []byte {
		return parcel(t, "[Content_Types].xml", types, "xl/workbook.xml", book, "xl/_rels/workbook.xml.rels", rels, "xl/sharedStrings.xml", shared, "xl/worksheets/sheet2.xml", sheet)
	}
	for _, tc := range []struct {
		name string
		data []byte
	}{
		{"one_huge_cell", parts(`<row><c t="str"><v>`+strings.Repeat("x", 32<<20), "")},
		{"one_huge_tag", parts(`<row a="`+strings.Repeat("x", 32<<20), "")},
		{"shared_strings", parts(`<row/>`, "<sst>"+strings.Repeat("<si><t>"+strings.Repeat("y", 1000)+"</t></si>", 40_000))},
		{"empty_shared_strings", parts(`<row/>`, "<sst>"+strings.Repeat("<si/>", 10_000_000))},
		{"far_cells", parts(strings.Repeat(`<row><c r="XFD1"><v>1</v></c></row>`, 200_000), "")},
		{"deep", parts(strings.Repeat(`<row><c><v>`, 1_000_000), "")},
		{"not_a_zip", append([]byte("PK\x03\x04"), make([]byte, 100)...)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if f := look(t, "/a.xlsx", tc.data, 0); len(f.skips) == 0 && tc.name != "far_cells" {
				t.Error("nothing was told")
			}
		})
	}
}

func TestOfficeCutAndSpoilt(t *testing.T) { cutAndSpoilt(t, "/a.xlsx", workbookFile(t)) }

func FuzzOffice(f *testing.F) {
	f.Add(workbookFile(f))
	f.Add(parcel(f, "mimetype", "x", "content.xml", fmt.Sprintf(content, `<text:p>a</text:p>`)))
	f.Fuzz(func(t *testing.T, data []byte) { look(t, "/a.xlsx", data, 0) })
}

func FuzzXML(f *testing.F) {
	f.Add([]byte(sheet))
	f.Add([]byte(`<?xml?><!DOCTYPE a [<!ENTITY b "c">]><a b='c' d="&lt;"><![CDATA[x]]>&amp;<!-- - --></a>`))
	f.Fuzz(func(t *testing.T, data []byte) {
		xml := newXML(bytes.NewReader(data))
		for range 4*len(data) + 8 {
			if _, err := xml.next(); err != nil {
				return
			}
			xml.name()
			xml.attr("b")
		}
		t.Error("no end")
	})
}

package expand

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"
)

// sheetFile is a workbook of one sheet, which holds a row.
func sheetFile(t testing.TB, row string) []byte {
	return parcel(t, "[Content_Types].xml", types, "xl/workbook.xml", `<workbook/>`, "xl/worksheets/sheet1.xml",
		`<worksheet><sheetData><row>`+row+`</row></sheetData></worksheet>`)
}

// dumpOf is a dump of one table.
func dumpOf(statement, data string) []byte {
	w := &pgWriter{minor: 13}
	w.WriteString(pgMagic)
	w.Write([]byte{1, 13, 0, 4, 8, 1})
	for range 8 { // compression and time
		w.int(0)
	}
	w.str("clinic", "15.1", "15.1")
	w.int(1)
	w.entry(2, "TABLE DATA", "patients", statement)
	w.WriteByte(1)
	w.int(2)
	w.int(len(data))
	w.WriteString(data)
	w.int(0)
	return w.Bytes()
}

// TestCutIsSaid: what is longer than is kept is told, and what is just as long is not.
func TestCutIsSaid(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	text := func(n int) string { // that hardly compresses
		b := make([]byte, n)
		for i := range b {
			b[i] = 'a' + byte(r.IntN(26))
		}
		return string(b)
	}
	inline := func(n int) string { return `<c t="inlineStr"><is><t>` + text(n) + `</t></is></c>` }
	sqlite := func(statements ...string) []byte { data, _ := database(t, nil, statements...); return data }
	blob := func(n int) []byte {
		return sqlite("CREATE TABLE a (b TEXT)", fmt.Sprintf("INSERT INTO a VALUES ('%s')", text(n)))
	}
	pdf := func(n int) []byte {
		return pdfOf(pdfPage, pdfStream("", "BT /F1 12 Tf ("+text(n)+") Tj ET"), pdfFont1)
	}
	type row struct {
		Notes []string `parquet:"notes,list"`
	}
	columns := func(n int) []byte {
		var b bytes.Buffer
		w := parquet.NewGenericWriter[row](&b)
		notes := make([]string, n)
		for i := range notes {
			notes[i] = text(4 << 10)
		}
		if _, err := w.Write([]row{{notes}}); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	statement := func(n int) string { return "COPY a (b" + strings.Repeat(", columnname", n) + ") FROM stdin;\n" }
	styles := func(n int) []byte {
		return parcel(t, "[Content_Types].xml", types, "xl/workbook.xml", `<workbook/>`, "xl/styles.xml", "<s><cellXfs>"+strings.Repeat("<xf/>", n)+"</cellXfs></s>")
	}
	for name, tc := range map[string]struct {
		path         string
		fits, longer []byte
		where, want  string
	}{
		"cell_of_a_sheet":     {"/a.xlsx", sheetFile(t, inline(sheetCell)), sheetFile(t, inline(sheetCell+1)), "!xl/worksheets/sheet1.xml", string(errSheet)},
		"row_of_a_sheet":      {"/a.xlsx", sheetFile(t, strings.Repeat(inline(sheetCell), 8)), sheetFile(t, strings.Repeat(inline(sheetCell), 9)), "!xl/worksheets/sheet1.xml", string(errSheet)},
		"columns_of_a_sheet":  {"/a.xlsx", sheetFile(t, strings.Repeat("<c><v>1</v></c>", sheetColumns)), sheetFile(t, strings.Repeat("<c><v>1</v></c>", sheetColumns+1)), "!xl/worksheets/sheet1.xml", string(errSheet)},
		"cell_formats":        {"/a.xlsx", styles(sheetStyles - 1), styles(sheetStyles + 1), "!xl/styles.xml", string(errStyles)},
		"value_of_sqlite":     {"/a.db", blob(sqliteValue), blob(sqliteValue + 1), "", string(errSQLiteCut)},
		"value_of_parquet":    {"/a.parquet", columns(200), columns(300), "", string(errSQLiteCut)},
		"row_of_a_dump":       {"/a.dump", dumpOf(statement(1), text(pgLine-1)+"\n\\.\n"), dumpOf(statement(1), text(pgLine+1)+"\n\\.\n"), "!public.patients", string(errCopyCut)},
		"columns_of_a_dump":   {"/a.dump", dumpOf(statement(1), strings.Repeat("1\t", sqliteCells-1)+"1\n\\.\n"), dumpOf(statement(1), strings.Repeat("1\t", sqliteCells)+"1\n\\.\n"), "!public.patients", string(errCopyCut)},
		"statement_of_a_dump": {"/a.dump", dumpOf(statement(5000), "1\n\\.\n"), dumpOf(statement(6000), "1\n\\.\n"), "", "COPY statements of more than 64 KiB: the other columns have no names"},
		"string_of_a_pdf":     {"/a.pdf", pdf(pdfString), pdf(pdfString + 1), "", "strings of more than 64 KiB: they were read up to there"},
	} {
		t.Run(name, func(t *testing.T) {
			if f := look(t, tc.path, tc.fits, 0); len(f.skips) > 0 {
				t.Errorf("what fits: skips %q", f.skips)
			}
			f := look(t, tc.path, tc.longer, 0)
			if diff := cmp.Diff([]string{tc.path + tc.where + ": " + tc.want}, f.skips); diff != "" {
				t.Errorf("what does not fit (-want +got):\n%s", diff)
			}
		})
	}
}

// TestManyOperands: an operator takes the last of its operands, however many
// stand before it.
func TestManyOperands(t *testing.T) {
	f := look(t, "/a.pdf", pdfOf(pdfPage, pdfStream("", "BT "+strings.Repeat("1 ", 1000)+"(Name: Family1) Tj ET"), pdfFont1), 0)
	if got := f.files["/a.pdf!text"]; got != "Name: Family1\n" || len(f.skips) > 0 {
		t.Errorf("text of %d bytes, skips %q", len(got), f.skips)
	}
}

// TestManyParts: parts beyond those that are known by name are looked at, and said.
func TestManyParts(t *testing.T) {
	parts := []string{"[Content_Types].xml", types, "word/document.xml", `<w:p><w:t>text</w:t></w:p>`}
	for i := range officeParts {
		parts = append(parts, fmt.Sprint("x/", i), "")
	}
	f := look(t, "/a.docx", parcel(t, append(parts, "last.txt", "hello")...), 0)
	if f.files["/a.docx!last.txt"] != "hello" || len(f.skips) != 1 {
		t.Errorf("%d files, skips %q", len(f.files), f.skips)
	}
}

package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"io"
	"slices"
	"strings"
	"testing"
)

func TestParseMirror(t *testing.T) {
	tests := map[string]struct {
		targets string
		want    string
	}{
		"security_first": {"Debian|Debian-Security|main|http://security.example\nDebian|Debian|main|http://mirror.example/debian\n", "http://mirror.example/debian"},
		"several":        {"Debian|Debian|contrib|http://a.example\nDebian|Debian|main|http://b.example\nDebian|Debian|main|http://c.example\n", "http://b.example"},
		"others":         {"Ubuntu|Ubuntu|main|http://a.example\n", ""},
		"none":           {"", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got, err := parseMirror(tt.targets); got != tt.want || (err != nil) != (tt.want == "") {
				t.Errorf("got %q, %v; want %q", got, err, tt.want)
			}
		})
	}
}

func TestTreeHash(t *testing.T) {
	one, err := plantedFiles()
	if err != nil {
		t.Fatal(err)
	}
	two, err := plantedFiles()
	if err != nil {
		t.Fatal(err)
	}
	if treeHash(one) != treeHash(two) {
		t.Error("the same files do not give the same tree")
	}
	two[0].body[0] ^= 1
	if treeHash(one) == treeHash(two) {
		t.Error("another file gives the same tree")
	}
}

// What is planted is what it is said to be.
func TestPlantedFiles(t *testing.T) {
	all, err := plantedFiles()
	if err != nil {
		t.Fatal(err)
	}
	records := map[string]func(*testing.T, []byte) int{
		"patients.csv": csvRecords, "backup.tar.gz": packedRecords, "patients.xlsx": sheetRecords, "patients.ndjson": jsonRecords,
		"adt.hl7":    func(_ *testing.T, body []byte) int { return bytes.Count(body, []byte("\rPID|")) },
		"claims.837": x12Records,
	}
	want := map[string]int{"patients.csv": 501, "backup.tar.gz": 1001, "patients.xlsx": 501, "patients.ndjson": 1000, "adt.hl7": 250, "claims.837": 250}
	for _, f := range all {
		if got := records[f.name](t, f.body); got != want[f.name] {
			t.Errorf("%s: %d records, want %d", f.name, got, want[f.name])
		}
	}
	if len(all) != len(want) {
		t.Errorf("%d files, want %d", len(all), len(want))
	}
}

func csvRecords(t *testing.T, body []byte) int {
	rows, err := csv.NewReader(bytes.NewReader(body)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return len(rows)
}

func packedRecords(t *testing.T, body []byte) int {
	plain, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	files := tar.NewReader(plain)
	if _, err := files.Next(); err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(files)
	if err != nil {
		t.Fatal(err)
	}
	return csvRecords(t, content)
}

func sheetRecords(t *testing.T, body []byte) int {
	files, err := zip.NewReader(bytes.NewReader(body), int64(len(body)))
	if err != nil {
		t.Fatal(err)
	}
	var sheet struct {
		Rows []struct {
			Cells []string `xml:"c>is>t"`
		} `xml:"sheetData>row"`
	}
	f, err := files.Open("xl/worksheets/sheet1.xml")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := xml.NewDecoder(f).Decode(&sheet); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(sheet.Rows[0].Cells, columns()) {
		t.Error("the first row does not name the columns")
	}
	return len(sheet.Rows)
}

func jsonRecords(t *testing.T, body []byte) (n int) {
	for d := json.NewDecoder(bytes.NewReader(body)); d.More(); n++ {
		var resource map[string]any
		if err := d.Decode(&resource); err != nil {
			t.Fatal(err)
		}
	}
	return n
}

// x12Records counts the claims, and the segments as SE01 does (from ST to SE).
func x12Records(t *testing.T, body []byte) int {
	var se string
	n, claims, inside := 0, 0, false
	for segment := range strings.SplitSeq(string(body), "~\n") {
		inside = inside || strings.HasPrefix(segment, "ST*")
		if inside {
			n++
		}
		if strings.HasPrefix(segment, "CLM*") {
			claims++
		}
		if rest, ok := strings.CutPrefix(segment, "SE*"); ok {
			se, _, _ = strings.Cut(rest, "*")
			break
		}
	}
	var want int
	if err := json.Unmarshal([]byte(se), &want); err != nil || n != want {
		t.Errorf("%d segments, SE01 says %d, %v", n, want, err)
	}
	return claims
}

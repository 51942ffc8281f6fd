package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
)

// plantedAt is where in the tree files with PHI lie.
const plantedAt = "/srv/clinic/"

// planted is a file with PHI of nobody.
type planted struct {
	name string
	body []byte
}

// person is invented.
type person struct {
	first, last, born, ssn, mrn, member, phone, street, code string
}

// people gives the same n persons whenever it is asked.
func people(n int) []person {
	rnd := rand.New(rand.NewPCG(18, 2026))
	pick := func(list string) string {
		words := strings.Fields(list)
		return words[rnd.IntN(len(words))]
	}
	all := make([]person, n)
	for i := range all {
		all[i] = person{
			first:  pick("Ada Bram Cleo Dario Edda Falk Greta Hanno Ilse Jona Kora Levin Mira Nils Oda Pia Quint Runa Sven Tilda"),
			last:   pick("Abendroth Birkhold Castell Dornbach Eschwey Falkner Grubert Hollmann Immenau Jarosch Kestner Lindqvist Morath Nordby"),
			born:   fmt.Sprintf("%04d-%02d-%02d", 1930+rnd.IntN(80), 1+rnd.IntN(12), 1+rnd.IntN(28)),
			ssn:    fmt.Sprintf("%03d-%02d-%04d", 100+rnd.IntN(500), 1+rnd.IntN(99), 1+rnd.IntN(9999)),
			mrn:    fmt.Sprintf("%08d", 20_000_000+i*37),
			member: fmt.Sprintf("W%09d", 300_000_000+i*101),
			phone:  fmt.Sprintf("(3%02d) 2%02d-%04d", rnd.IntN(100), rnd.IntN(100), rnd.IntN(10000)),
			street: fmt.Sprintf("%d %s Street", 1+rnd.IntN(900), pick("Alder Beech Cedar Dogwood Elm Fir Hazel Juniper Larch Maple")),
			code:   pick("E11.9 I10 J45.909 F32.9 C50.911 N18.3 M54.5 K21.9 Z79.4 B20"),
		}
	}
	return all
}

// plantedFiles are one of each kind, of different people.
func plantedFiles() ([]planted, error) {
	all := people(3000)
	resources, err := fhirLines(all[1000:1500])
	if err != nil {
		return nil, err
	}
	archive, err := archived("data/visits.csv", csvOf(all[1500:2500]))
	if err != nil {
		return nil, err
	}
	sheet, err := workbook(all[2500:])
	if err != nil {
		return nil, err
	}
	return []planted{
		{"patients.csv", csvOf(all[:500])},
		{"adt.hl7", hl7Of(all[500:750])},
		{"claims.837", x12Of(all[750:1000])},
		{"patients.ndjson", resources},
		{"backup.tar.gz", archive},
		{"patients.xlsx", sheet},
	}, nil
}

// plant writes the files into a folder.
func plant(folder string, files []planted) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	for _, f := range files {
		if err := os.WriteFile(filepath.Join(folder, f.name), f.body, 0o644); err != nil {
			return err
		}
	}
	return nil
}

func columns() []string {
	return []string{"mrn", "first_name", "last_name", "date_of_birth", "ssn", "member_id", "phone", "address", "diagnosis_code"}
}

func (p person) cells() []string {
	return []string{p.mrn, p.first, p.last, p.born, p.ssn, p.member, p.phone, p.street, p.code}
}

func csvOf(all []person) []byte {
	var b bytes.Buffer
	fmt.Fprintln(&b, strings.Join(columns(), ","))
	for _, p := range all {
		fmt.Fprintln(&b, strings.Join(p.cells(), ","))
	}
	return b.Bytes()
}

// hl7Of is one admission for each, HL7 v2.5.1.
func hl7Of(all []person) []byte {
	var b bytes.Buffer
	for i, p := range all {
		born := strings.ReplaceAll(p.born, "-", "")
		fmt.Fprintf(&b, "MSH|^~\\&|ADT|NORTH|EHR|SOUTH|20240311080000||ADT^A01^ADT_A01|%06d|P|2.5.1\r", i)
		fmt.Fprintf(&b, "PID|1||%s^^^NORTH^MR||%s^%s||%s|F|||%s^^Elmfield^OH^44101||%s|||||||%s\r", p.mrn, p.last, p.first, born, p.street, p.phone, p.ssn)
		fmt.Fprintf(&b, "PV1|1|I|2N^201^A\rDG1|1||%s^^I10\r", p.code)
	}
	return b.Bytes()
}

// x12Of is one claim for each in a health care claim 837P, 005010X222A1.
func x12Of(all []person) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "ISA*00*%10s*00*%10s*ZZ*%-15s*ZZ*%-15s*240311*0800*^*00501*000000001*0*P*:~\n", "", "", "NORTHCLINIC", "HEALTHPLAN")
	b.WriteString("GS*HC*NORTHCLINIC*HEALTHPLAN*20240311*0800*1*X*005010X222A1~\nST*837*0001*005010X222A1~\n")
	b.WriteString("BHT*0019*00*1*20240311*0800*CH~\nNM1*41*2*NORTH CLINIC*****46*NC01~\nHL*1**20*1~\nNM1*85*2*NORTH CLINIC*****XX*1234567893~\n")
	for i, p := range all {
		code := strings.ReplaceAll(p.code, ".", "")
		fmt.Fprintf(&b, "HL*%d*1*22*0~\nSBR*P*18*******CI~\nNM1*IL*1*%s*%s****MI*%s~\nN3*%s~\nN4*ELMFIELD*OH*44101~\nDMG*D8*%s*F~\n",
			i+2, strings.ToUpper(p.last), strings.ToUpper(p.first), p.member, strings.ToUpper(p.street), strings.ReplaceAll(p.born, "-", ""))
		fmt.Fprintf(&b, "CLM*%s*125***11:B:1*Y*A*Y*Y~\nHI*ABK:%s~\n", p.mrn, code)
	}
	fmt.Fprintf(&b, "SE*%d*0001~\nGE*1*1~\nIEA*1*000000001~\n", 6+8*len(all))
	return []byte(b.String())
}

// fhirLines is a Patient and a Condition for each, FHIR R4 as NDJSON.
func fhirLines(all []person) ([]byte, error) {
	type object = map[string]any
	var b bytes.Buffer
	lines := json.NewEncoder(&b)
	for _, p := range all {
		patient := object{
			"resourceType": "Patient", "id": p.mrn, "birthDate": p.born,
			"identifier": []object{{"system": "urn:oid:2.16.840.1.113883.4.1", "value": p.ssn}},
			"name":       []object{{"family": p.last, "given": []string{p.first}}},
			"telecom":    []object{{"system": "phone", "value": p.phone}},
		}
		condition := object{
			"resourceType": "Condition", "id": "c" + p.mrn, "subject": object{"reference": "Patient/" + p.mrn},
			"code": object{"coding": []object{{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": p.code}}},
		}
		if err := errors.Join(lines.Encode(patient), lines.Encode(condition)); err != nil {
			return nil, err
		}
	}
	return b.Bytes(), nil
}

// archived is a gzipped tar of one file.
func archived(name string, body []byte) ([]byte, error) {
	var b bytes.Buffer
	packed := gzip.NewWriter(&b)
	w := tar.NewWriter(packed)
	err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(body))})
	if err == nil {
		_, err = w.Write(body)
	}
	if err := errors.Join(err, w.Close(), packed.Close()); err != nil {
		return nil, fmt.Errorf("packing %s: %w", name, err)
	}
	return b.Bytes(), nil
}

// workbook is the least that Office Open XML has of one (ECMA-376, 12.2): a
// workbook with one sheet whose cells hold their text themselves.
func workbook(all []person) ([]byte, error) {
	const head = `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>` + "\n"
	const main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
	const doc = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
	const pkg = "http://schemas.openxmlformats.org/package/2006"
	const kind = "application/vnd.openxmlformats-officedocument.spreadsheetml."
	parts := []planted{
		{"[Content_Types].xml", []byte(head + `<Types xmlns="` + pkg + `/content-types">` +
			`<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>` +
			`<Override PartName="/xl/workbook.xml" ContentType="` + kind + `sheet.main+xml"/>` +
			`<Override PartName="/xl/worksheets/sheet1.xml" ContentType="` + kind + `worksheet+xml"/></Types>`)},
		{"_rels/.rels", []byte(head + `<Relationships xmlns="` + pkg + `/relationships">` +
			`<Relationship Id="rId1" Type="` + doc + `/officeDocument" Target="xl/workbook.xml"/></Relationships>`)},
		{"xl/workbook.xml", []byte(head + `<workbook xmlns="` + main + `" xmlns:r="` + doc + `"><sheets>` +
			`<sheet name="Patients" sheetId="1" r:id="rId1"/></sheets></workbook>`)},
		{"xl/_rels/workbook.xml.rels", []byte(head + `<Relationships xmlns="` + pkg + `/relationships">` +
			`<Relationship Id="rId1" Type="` + doc + `/worksheet" Target="worksheets/sheet1.xml"/></Relationships>`)},
		{"xl/worksheets/sheet1.xml", []byte(head + `<worksheet xmlns="` + main + `"><sheetData>` + sheetRows(all) + `</sheetData></worksheet>`)},
	}
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, p := range parts {
		f, err := w.Create(p.name)
		if err == nil {
			_, err = f.Write(p.body)
		}
		if err != nil {
			return nil, fmt.Errorf("packing a workbook: %w", err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("packing a workbook: %w", err)
	}
	return b.Bytes(), nil
}

func sheetRows(all []person) string {
	rows := [][]string{columns()}
	for _, p := range all {
		rows = append(rows, p.cells())
	}
	var b strings.Builder
	for i, cells := range rows {
		fmt.Fprintf(&b, `<row r="%d">`, i+1)
		for j, text := range cells {
			fmt.Fprintf(&b, `<c r="%c%d" t="inlineStr"><is><t>%s</t></is></c>`, 'A'+j, i+1, text)
		}
		b.WriteString(`</row>`)
	}
	return b.String()
}

package inspect

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/phigate/phigate/plugin/cache"
	"github.com/phigate/phigate/plugin/inspect/expand"
	"github.com/phigate/phigate/plugin/rootfs"
	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/detect"
	"github.com/phigate/phigate/policy/detect/catalogue"
)

// The bounds on one hostile file: on the heap, which is measured with a zealous
// garbage collector, and on time.
const (
	hostileHeap = 64 << 20
	hostileTime = time.Minute // on a busy machine; alone, the slowest takes 6 s
)

// hostileFiles each end with the reason among what was skipped, and with what
// stands before found.
func hostileFiles(t testing.TB) []hostileFile {
	deepJSON := patientJSON + "\n" + `{"resourceType":"Bundle","entry":` + strings.Repeat("[", 1_000_000)
	deepXML := `<ClinicalDocument xmlns="urn:hl7-org:v3">` + patientXML + strings.Repeat("<section>", 1_000_000)
	rows := patientRows
	text := []byte(strings.Repeat("Some text, long enough to be cut. ", 1000))
	sealed := zip.FileHeader{Name: "b", Flags: 1}
	return []hostileFile{
		{"zip_bomb", "a.zip", zipBomb(t), "beyond 200 times its compressed size", ""},
		{"overlapping_zip_bomb", "a.zip", overlapping(t, make([]byte, 8<<20), zip.Deflate, 60_000), "beyond 200 times its compressed size", ""},
		{"zip_of_a_million_entries", "a.zip", overlapping(t, []byte("-"), zip.Store, 1_000_001), "more than 1000000 nested files", ""},
		{"tar_of_a_million_entries", "a.tar.gz", manyEntries(t), "more than 1000000 nested files", ""},
		{"forty_two_zip", "42.zip", fortyTwo(t), "nested more than 4 deep", ""},
		{"gzip_quine", "q.gz", gzipQuine(t), "nested more than 4 deep", ""},
		{"zip_quine", "q.zip", zipQuine(t), "nested more than 4 deep", ""},
		{"gzip_bomb", "a.gz", gzipped(t, make([]byte, 64<<20)), "beyond 200 times its compressed size", ""},
		{"tar_negative_size", "a.tar", slices.Concat(tarred(t, "b.csv", rows)[:1024], tarHeader("c", strings.Repeat("\xff", 12))), "damaged tar archive", "phi-table"},
		{"tar_negative_size_first", "a.tar", slices.Concat(tarHeader("c", strings.Repeat("\xff", 12)), text), "damaged tar archive", ""},
		{"tar_size_beyond_the_end", "a.tar", slices.Concat(tarHeader("b.csv", "77777777777\x00"), []byte(rows)), "truncated tar archive", "phi-table"},
		{"xml_entities_cda", "a.xml", []byte(laughs("ClinicalDocument", "urn:hl7-org:v3", patientXML, "<text>&lol9;</text>")), "entities", "phi-cda"},
		{"xml_entities_fhir", "a.xml", []byte(laughs("Patient", "http://hl7.org/fhir",
			`<name><family value="Quimby"/><given value="Ada"/></name><birthDate value="1980-02-01"/>`, `<text value="&lol9;"/>`)), "entities", "phi-fhir"},
		{"xml_deep", "a.xml", []byte(deepXML), "deep", "phi-cda"},
		{"json_deep_fhir", "a.json", []byte(deepJSON), "deep", "phi-fhir"},
		{"json_deep", "a.json", []byte(`{"patients":[{"lastName":"Quimby","firstName":"Ada","dob":"1980-02-01","mrn":"40000017"},` + strings.Repeat("[", 1_000_000)), "deep", "phi-json"},
		{"sqlite_cycle", "a.db", cyclicDatabase(), "damaged SQLite database", ""},
		{"dicom_undefined_lengths", "a.dcm", endlessDICOM(), "DICOM object ends within", "phi-dicom"},
		{"pdf_loops", "a.pdf", loopingPDF(), "damaged PDF document", ""},
		{"pdf_deep", "a.pdf", pdfOf(strings.Repeat("[", 1<<20)), "damaged PDF document", ""},
		{"csv_long_line", "a.csv", []byte(rows + strings.Repeat("40000018,Quimby,", 4<<20)), "longer than 1 MiB", "phi-table"},

		{"truncated_gzip", "a.gz", cut(gzipped(t, text)), "truncated gzip stream", ""},
		{"truncated_zstd", "a.zst", cut(zstded(t, text)), "truncated zstd stream", ""},
		{"truncated_xz", "a.xz", cut(xzed(t, text)), "truncated xz stream", ""},
		{"truncated_tar", "a.tar", cut(tarred(t, "b", string(text))), "truncated tar archive", ""},
		{"truncated_zip", "a.zip", cut(zipped(t, "b", text)), "truncated zip archive", ""},
		{"truncated_sqlite", "a.db", cut(cyclicDatabase()), "damaged SQLite database", ""},
		{"truncated_parquet", "a.parquet", cut(parquetOf(64)), "damaged Parquet file", ""},
		{"truncated_pdf", "a.pdf", []byte("%PDF-1.7\n1 0 obj\n<</Type/Page"), "damaged PDF document", ""},
		{"truncated_xlsx", "a.xlsx", cut(zipped(t, "xl/workbook.xml", text)), "document", ""},
		{"truncated_pg_dump", "a.dump", []byte("PGDMP\x01\x0e\x00"), "truncated PostgreSQL dump", ""},
		{"truncated_dicom", "a.dcm", endlessDICOM()[:200], "DICOM object ends within", ""},
		{"footer_beyond_the_file", "a.parquet", parquetOf(1<<32 - 1), "damaged Parquet file", ""},

		{"encrypted_zip", "a.zip", rawZip(t, text, text, sealed), "encrypted archive entry", ""},
		{"encrypted_pdf", "a.pdf", bytes.Replace(loopingPDF(), []byte("/Root"), []byte("/Encrypt 9 0 R/Root"), 1), "encrypted document", ""},
		{"encrypted_office", "a.xlsx", encryptedOffice(), "encrypted document", ""},
		{"encrypted_parquet", "a.parquet", bytes.ReplaceAll(parquetOf(64), []byte("PAR1"), []byte("PARE")), "encrypted", ""},
		{"encrypted_pgp", "a.asc", []byte("-----BEGIN PGP MESSAGE-----\n\nhQEMA\n"), "PGP encrypted file is not looked into", ""},
		{"encrypted_age", "a.age", []byte("age-encryption.org/v1\n-> X25519 \n"), "age encrypted file is not looked into", ""},
		{"encrypted_openssl", "a.enc", []byte("Salted__12345678"), "OpenSSL encrypted file is not looked into", ""},
		{"encrypted_luks", "a.img", append([]byte("LUKS\xba\xbe"), make([]byte, 1000)...), "LUKS encrypted volume is not looked into", ""},
		{"seven_zip", "a.7z", append([]byte("7z\xbc\xaf\x27\x1c"), make([]byte, 100)...), "7z archive is not looked into", ""},
		{"rar", "a.rar", append([]byte("Rar!\x1a\x07\x01\x00"), make([]byte, 100)...), "RAR archive is not looked into", ""},
	}
}

type hostileFile struct {
	name, file string
	content    []byte
	reason     string // or a part of it
	rule       string // of what is found before; empty: nothing needs to be
}

// cut is the first three quarters of a file.
func cut(content []byte) []byte { return content[:len(content)*3/4] }

// allDetectors is compiled once: that takes longer than most scans.
var allDetectors = sync.OnceValues(func() (*detect.Set, error) { return detect.NewSet(catalogue.All()) })

// hostileScan scans a tree as the daemon does, and says by how much the heap grew
// meanwhile.
func hostileScan(t testing.TB, tree rootfs.Tree, workers int) (facts *cache.Facts, heap int64, took time.Duration) {
	t.Helper()
	set, err := allDetectors()
	must(t, err)
	limits := expand.Defaults()
	limits.Spool = t.TempDir()
	w, err := store(t).Begin("k")
	must(t, err)
	defer w.Abort()
	ctx, cancel := context.WithTimeout(t.Context(), 3*hostileTime)
	defer cancel()
	defer debug.SetGCPercent(debug.SetGCPercent(20))
	runtime.GC()
	peak := watchHeap()
	began := time.Now()
	facts, err = (&Scanner{Detectors: set, Keyed: hmacKeyed, Expand: limits, Workers: workers}).Scan(ctx, tree, w, nil)
	took = time.Since(began)
	heap = peak()
	must(t, err)
	return facts, heap, took
}

// watchHeap looks at the heap until it is asked by how much it grew at most.
func watchHeap() func() int64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	before, most := m.HeapAlloc, m.HeapAlloc
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			case <-time.After(2 * time.Millisecond):
				runtime.ReadMemStats(&m)
				most = max(most, m.HeapAlloc)
			}
		}
	}()
	return func() int64 {
		close(stop)
		<-done
		return int64(most - before)
	}
}

// TestHostileFiles: each ends soon, with little memory, and says what was not
// looked at.
func TestHostileFiles(t *testing.T) {
	for _, h := range hostileFiles(t) {
		t.Run(h.name, func(t *testing.T) {
			d := t.TempDir()
			must(t, os.WriteFile(filepath.Join(d, h.file), h.content, 0o644))
			facts, heap, took := hostileScan(t, rootfs.Dir(d), 1)
			h.judge(t, facts)
			if heap > hostileHeap || took > hostileTime {
				t.Errorf("the heap grew by %d MiB, it took %v", heap>>20, took)
			}
			if testing.Verbose() {
				t.Logf("%d bytes in %v, %.1f MiB, %d reasons, e.g. %q", len(h.content), took.Round(time.Millisecond), float64(heap)/(1<<20), len(facts.Skipped), reasons(facts))
			}
		})
	}
}

// TestHostileFilesAtOnce: two workers take no more than twice as much.
func TestHostileFilesAtOnce(t *testing.T) {
	d := t.TempDir()
	for _, h := range hostileFiles(t) {
		if !strings.HasSuffix(h.name, "_million_entries") { // which take long
			write(t, filepath.Join(d, h.name, h.file), string(h.content))
		}
	}
	for i := range 4 {
		write(t, filepath.Join(d, fmt.Sprint(i), "a.xz"), string(largeXz(t)))
	}
	facts, heap, took := hostileScan(t, rootfs.Dir(d), 2)
	if heap > 2*hostileHeap || took > 2*hostileTime {
		t.Errorf("the heap grew by %d MiB, it took %v", heap>>20, took)
	}
	t.Logf("%d reasons, %.1f MiB in %v", len(facts.Skipped), float64(heap)/(1<<20), took)
}

func (h hostileFile) judge(t *testing.T, facts *cache.Facts) {
	t.Helper()
	told := slices.ContainsFunc(facts.Skipped, func(k policy.Skipped) bool {
		return k.Kind == policy.Unscannable && strings.Contains(k.Reason, h.reason)
	})
	if !told {
		t.Errorf("reasons %q, want %q", reasons(facts), h.reason)
	}
	if h.rule != "" && !slices.ContainsFunc(facts.Findings, func(f policy.Finding) bool { return f.Rule == h.rule }) {
		t.Errorf("%d findings, none of %s", len(facts.Findings), h.rule)
	}
}

// reasons are the first that were given.
func reasons(facts *cache.Facts) []string {
	var out []string
	for _, k := range facts.Skipped[:min(len(facts.Skipped), 4)] {
		out = append(out, k.Reason)
	}
	return out
}

package cli

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/phigate/phigate/plugin/audit"
	"github.com/phigate/phigate/plugin/journal"
	"github.com/phigate/phigate/plugin/report"
	"github.com/phigate/phigate/plugin/report/export"
	"github.com/phigate/phigate/policy"
)

// needles are values in every form in which an output could hold them, by their
// first eight bytes, so that an output is looked through once for all of them.
type needles map[[8]byte][]string

func (n needles) add(form string) {
	var key [8]byte
	copy(key[:], form)
	n[key] = append(n[key], form)
}

// plant takes a value raw, in hexadecimal, as URLs write it, in UTF-16 of both
// orders, in base64, which has three forms by where the value begins, and any
// eight bytes of it as a number of either order: what a crash's trace shows of a register.
func (n needles) plant(value string) {
	n.add(value)
	n.add(hex.EncodeToString([]byte(value)))
	n.add(strings.ToUpper(hex.EncodeToString([]byte(value))))
	n.add(url.QueryEscape(value))
	var little, big []byte
	for _, u := range utf16.Encode([]rune(value)) {
		little, big = append(little, byte(u), byte(u>>8)), append(big, byte(u>>8), byte(u))
	}
	n.add(string(little))
	n.add(string(big))
	for shift := range 3 {
		text := base64.RawStdEncoding.EncodeToString(append(make([]byte, shift), value...))
		n.add(text[(8*shift+5)/6 : len(text)-2]) // without the letters that neighbours share
	}
	for i := range len(value) - 7 {
		n.add(fmt.Sprintf("%016x", binary.LittleEndian.Uint64([]byte(value[i:]))))
		n.add(fmt.Sprintf("%016x", binary.BigEndian.Uint64([]byte(value[i:]))))
	}
}

// in counts the values in an output.
func (n needles) in(output []byte) int {
	found := 0
	for i := 0; i+8 <= len(output); i++ {
		for _, form := range n[[8]byte(output[i:])] {
			if bytes.HasPrefix(output[i:], []byte(form)) {
				found++
			}
		}
	}
	return found
}

// The values: 2,000 in the names of files, 6,000 in their bytes, 1,000 in the
// environment, 1,000 in labels.
func ssn(i int) string    { return fmt.Sprintf("%03d-%02d-%04d", 200+i/9000%500, 10+i%89, 1000+i%9000) }
func record(i int) string { return fmt.Sprintf("%012d", 480000000000+i*70001) } // longer than digits in a digest chance to be
func mail(i int) string   { return fmt.Sprintf("pat.%06d@clinic-mail.org", i) }

// leakTree makes the folder and the spec, and returns what is planted in them.
func leakTree(t *testing.T) (root, spec string, all needles) {
	t.Helper()
	root, all = t.TempDir(), needles{}
	for i := range 2000 {
		name := []string{"scan-" + ssn(i), "mrn-" + record(i), mail(i), "visit_" + ssn(i) + "_1"}[i%4]
		all.plant([]string{ssn(i), record(i), mail(i), ssn(i)}[i%4])
		rows := "first_name,last_name,date_of_birth,ssn,mrn,email,diagnosis\n"
		a, b, c := ssn(3000+3*i), record(3000+3*i), mail(3000+3*i)
		all.plant(a)
		all.plant(b)
		all.plant(c)
		rows += fmt.Sprintf("Merle,Testpatient,1971-03-04,%s,%s,%s,E11.9\n", a, b, c)
		dir := filepath.Join(root, fmt.Sprintf("d%d", i%20))
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name+".csv"), []byte(rows), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var env []string
	labels := map[string]string{}
	for i := range 1000 {
		name := "NOTE_%d=%s" // most without a label, or their findings would leave the files' no room
		if i%20 == 0 {
			name = "PATIENT_%d_SSN=%s"
		}
		env = append(env, fmt.Sprintf(name, i, ssn(20000+i)))
		labels[fmt.Sprintf("clinic/patient-%d", i)] = "mrn " + record(20000+i)
		all.plant(ssn(20000 + i))
		all.plant(record(20000 + i))
	}
	text, err := json.Marshal(map[string]any{"ociVersion": "1.0.2", "process": map[string]any{"args": []string{"sh"}, "cwd": "/", "env": env}, "annotations": labels, "root": map[string]any{"path": "rootfs"}})
	spec = filepath.Join(t.TempDir(), "config.json")
	if err == nil {
		err = os.WriteFile(spec, text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return root, spec, all
}

// No value that is planted in names, bytes, environment or labels is in any
// output, in any form.
func TestNothingLeaks(t *testing.T) {
	root, spec, all := leakTree(t)
	var errors bytes.Buffer
	outputs := map[string][]byte{}
	var out bytes.Buffer
	if code := Main([]string{"scan", "--format", "json", "--spec", spec, root}, "test", &out, &errors); code != ExitBlocked {
		t.Fatalf("scan ends with %d", code)
	}
	outputs["scan json"] = out.Bytes()
	d := new(policy.Decision)
	if err := json.Unmarshal(out.Bytes(), d); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "[social:x") || !strings.Contains(out.String(), "[email:x") || len(d.Findings) < policy.MaxRecorded {
		t.Fatalf("%d findings, or no name in them was redacted", len(d.Findings))
	}
	for format, write := range map[string]func(io.Writer, *policy.Decision) error{
		"text": func(w io.Writer, d *policy.Decision) error { return report.Text(w, d, false) }, "html": report.HTML,
		"sarif": func(w io.Writer, d *policy.Decision) error { return report.SARIF(w, d, nil, "test") },
	} {
		var out bytes.Buffer
		if err := write(&out, d); err != nil {
			t.Fatal(err)
		}
		outputs["scan "+format] = out.Bytes()
	}
	logged(t, d, outputs)
	outputs["standard error"] = errors.Bytes()
	for name, out := range outputs {
		if len(out) == 0 && name != "standard error" {
			t.Errorf("%s is empty", name)
		}
		if n := all.in(out); n > 0 {
			t.Errorf("%s holds %d planted values", name, n)
		}
	}
	// The search itself must find what is there.
	for _, form := range []string{ssn(0), hex.EncodeToString([]byte(mail(2))), base64.StdEncoding.EncodeToString([]byte("x " + ssn(0) + " y"))} {
		if all.in([]byte("... "+form+" ...")) == 0 {
			t.Error("the search does not find a value that is there")
		}
	}
}

// logged adds what the log, the journal, the exports, the report and the line for
// a refused user hold of a decision.
func logged(t *testing.T, d *policy.Decision, outputs map[string][]byte) {
	t.Helper()
	dir := t.TempDir()
	log, err := audit.Open(filepath.Join(dir, "decisions"), audit.Options{})
	if err == nil {
		_, err = log.Record(t.Context(), d)
		log.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		outputs["log"] = append(outputs["log"], data...)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	outputs["journal"] = fmt.Append(nil, journal.Fields(report.Entry{LogID: "log", Seq: 1, Leaf: "00", Decision: d}))
	outputs["line"] = []byte(d.Line())
	outputs["%+v"] = fmt.Appendf(nil, "%+v", *d)
	for _, format := range export.Formats() {
		out, err := answer(t.Context(), newExportCommand(), "--format", format, "--state-dir", dir)
		if err != nil {
			t.Fatal(err)
		}
		outputs["export "+format] = []byte(out)
	}
	for format := range reportWriters() {
		out, err := answer(t.Context(), newReportCommand(), "--format", format, "--state-dir", dir)
		if err != nil {
			t.Fatal(err)
		}
		outputs["report "+format] = []byte(out)
	}
	var list bytes.Buffer
	if err := report.List(io.MultiWriter(&list), []*policy.Decision{d}); err != nil {
		t.Fatal(err)
	}
	outputs["list"] = list.Bytes()
}

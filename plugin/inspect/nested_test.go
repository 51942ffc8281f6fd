package inspect

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/phigate/phigate/plugin/inspect/expand"
	"github.com/phigate/phigate/plugin/rootfs"
	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/detect"
	"github.com/phigate/phigate/policy/detect/phi"
)

// zipped is a zip archive with one member.
func zipped(t testing.TB, name string, content []byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := zip.NewWriter(&buf)
	f, err := w.Create(name)
	must(t, err)
	_, err = f.Write(content)
	must(t, err)
	must(t, w.Close())
	return buf.Bytes()
}

func gzipped(t testing.TB, content []byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := gzip.NewWriter(&buf)
	_, err := w.Write(content)
	must(t, err)
	must(t, w.Close())
	return buf.Bytes()
}

func tarred(t testing.TB, files ...string) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for i := 0; i < len(files); i += 2 {
		must(t, w.WriteHeader(&tar.Header{Name: files[i], Size: int64(len(files[i+1])), Mode: 0o644}))
		_, err := io.WriteString(w, files[i+1])
		must(t, err)
	}
	must(t, w.Close())
	return buf.Bytes()
}

// fullPaths are the places of findings, with what is inside of containers.
func fullPaths(fs []policy.Finding) []string {
	var out []string
	for _, f := range fs {
		out = append(out, f.Where.Full())
	}
	slices.Sort(out)
	return out
}

func TestScanLooksIntoContainers(t *testing.T) {
	filler := strings.Repeat("nothing here\n", 30_000)
	files := map[string][]byte{
		"a.tar.gz":   gzipped(t, tarred(t, "data/b.csv", "MARK", "none", "-", "late", filler+"MARK")),
		"b.zip":      zipped(t, "in.gz", gzipped(t, []byte("MARK"))),
		"c.tar":      tarred(t, "deep.zip", string(zipped(t, "x", []byte("MARK")))),
		"plain":      []byte("MARK"),
		"damaged.gz": gzipped(t, []byte(filler+"MARK"))[:200],
	}
	want := []string{"/a.tar.gz!data/b.csv", "/a.tar.gz!late", "/b.zip!in.gz!in", "/c.tar!deep.zip!x", "/plain"}
	d := t.TempDir()
	var layer bytes.Buffer
	w := tar.NewWriter(&layer)
	for name, content := range files {
		write(t, filepath.Join(d, name), string(content))
		must(t, w.WriteHeader(&tar.Header{Name: name, Size: int64(len(content)), Mode: 0o644}))
		_, err := w.Write(content)
		must(t, err)
	}
	must(t, w.Close())
	forward := rootfs.Tar(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(layer.Bytes())), nil })
	for name, tree := range map[string]rootfs.Tree{"folder": rootfs.Layer(d), "archive": forward} {
		t.Run(name, func(t *testing.T) {
			facts := scanTree(t, store(t), "k", tree, marker("mark", nil))
			got := fullPaths(facts.Findings)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
			if len(facts.Skipped) != 1 || facts.Skipped[0].Where != "/damaged.gz" || facts.Skipped[0].Kind != policy.Unscannable {
				t.Errorf("%d skipped, want the damaged file", len(facts.Skipped))
			}
			if facts.Coverage.Files != int64(len(files)) {
				t.Errorf("%d files, want %d: those within containers do not count", facts.Coverage.Files, len(files))
			}
		})
	}
}

// TestDetectorsSeeContainersNames: a container is a file of its name, too.
func TestDetectorsSeeContainersNames(t *testing.T) {
	d := t.TempDir()
	write(t, filepath.Join(d, "patients.zip"), string(zipped(t, "x", []byte("-"))))
	named := opener(func(m detect.Meta, s *detect.Sink) {
		if strings.Contains(m.Path, "patients") {
			s.Found(0)
		}
	})
	facts := scanTree(t, store(t), "k", rootfs.Layer(d), named)
	if diff := cmp.Diff([]string{"/patients.zip", "/patients.zip!x"}, fullPaths(facts.Findings)); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}

func TestUnopenedContainersAreSaid(t *testing.T) {
	d := t.TempDir()
	write(t, filepath.Join(d, "a.zip"), string(zipped(t, "x", []byte("MARK"))))
	w, err := store(t).Begin("k")
	must(t, err)
	defer w.Abort()
	facts, err := (&Scanner{Detectors: setOf(t, marker("mark", nil)), Keyed: hmacKeyed}).Scan(t.Context(), rootfs.Layer(d), w, nil)
	must(t, err)
	want := []policy.Skipped{{Where: "/a.zip", Rule: "files", Reason: "zip archive is not opened", Kind: policy.Unscannable}}
	if diff := cmp.Diff(want, facts.Skipped); diff != "" {
		t.Errorf("skipped (-want +got):\n%s", diff)
	}
}

// TestLinkedContainers: what is in a container is there under each of its names.
func TestLinkedContainers(t *testing.T) {
	content := zipped(t, "x", []byte("MARK"))
	var layer bytes.Buffer
	w := tar.NewWriter(&layer)
	must(t, w.WriteHeader(&tar.Header{Name: "a.zip", Size: int64(len(content)), Mode: 0o644}))
	_, err := w.Write(content)
	must(t, err)
	must(t, w.WriteHeader(&tar.Header{Name: "b.zip", Typeflag: tar.TypeLink, Linkname: "a.zip"}))
	must(t, w.Close())
	tree := rootfs.Tar(func() (io.ReadCloser, error) { return io.NopCloser(&layer), nil })
	facts := scanTree(t, store(t), "k", tree, marker("mark", nil))
	if diff := cmp.Diff([]string{"/a.zip!x", "/b.zip!x"}, fullPaths(facts.Findings)); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}

// TestDeletedContainers: what is in a container is deleted with it.
func TestDeletedContainers(t *testing.T) {
	s := store(t)
	lower, upper := t.TempDir(), t.TempDir()
	write(t, filepath.Join(lower, "a!b.zip"), string(zipped(t, "x", []byte("MARK"))))
	write(t, filepath.Join(upper, "a!b.zip"), "replaced")
	scanTree(t, s, "low", rootfs.Layer(lower), marker("mark", nil))
	scanTree(t, s, "high", rootfs.Layer(upper), marker("mark", nil))
	report := (&Files{Store: s}).Inspect(t.Context(), subject("low", "high"), &policy.Policy{Digest: "d"})
	if len(report.Findings) != 1 || !report.Findings[0].Where.Deleted || report.Findings[0].Where.Full() != "/a!b.zip!x" {
		t.Errorf("%d findings, want the one in the replaced archive", len(report.Findings))
	}
}

// TestPeopleAreCountedOnce over the files of a layer, over layers, and from 500
// on as a finding of their own.
func TestPeopleAreCountedOnce(t *testing.T) {
	table := func(from, to int) string {
		var b strings.Builder
		b.WriteString("mrn,last_name,first_name,dob,diagnosis\n")
		for i := from; i < to; i++ {
			fmt.Fprintf(&b, "%08d,Doe,Jane%c%c,1980-02-01,J45.909\n", 40_000_000+i, 'a'+rune(i/26%26), 'a'+rune(i%26))
		}
		return b.String()
	}
	s := store(t)
	lower, upper := t.TempDir(), t.TempDir()
	write(t, filepath.Join(lower, "a.csv"), table(0, 300))
	write(t, filepath.Join(lower, "b.zip"), string(zipped(t, "b.csv", []byte(table(100, 400)))))
	write(t, filepath.Join(upper, "c.csv"), table(350, 499))
	facts := scanTree(t, s, "low", rootfs.Layer(lower), phi.Table())
	if len(facts.Findings) != 2 {
		t.Fatalf("%d findings in the lower layer, want 2", len(facts.Findings))
	}
	scanTree(t, s, "high", rootfs.Layer(upper), phi.Table())
	f := &Files{Store: s}
	for name, c := range map[string]struct {
		layers []string
		people int
	}{"one_layer": {[]string{"low"}, 400}, "two_layers": {[]string{"low", "high"}, 499}, "a_layer_twice": {[]string{"low", "high", "low"}, 499}} {
		report := f.Inspect(t.Context(), subject(c.layers...), &policy.Policy{Digest: "d"})
		if report.Individuals.Point != c.people || threshold(report) {
			t.Errorf("%s: %d people, want %d and no threshold", name, report.Individuals.Point, c.people)
		}
	}
	more := t.TempDir()
	write(t, filepath.Join(more, "d.csv"), table(490, 510))
	scanTree(t, s, "more", rootfs.Layer(more), phi.Table())
	report := f.Inspect(t.Context(), subject("low", "high", "more"), &policy.Policy{Digest: "d"})
	if report.Individuals.Point != 510 || !threshold(report) {
		t.Errorf("%d people, want 510 and the threshold", report.Individuals.Point)
	}
	volume := subject("low", "high")
	volume.Volumes = []policy.Volume{{Destination: "/data", Layers: []string{"more"}}}
	if report = f.Inspect(t.Context(), volume, &policy.Policy{Digest: "d"}); report.Individuals.Point != 510 || !threshold(report) {
		t.Errorf("%d people with a mounted image, want 510 and the threshold", report.Individuals.Point)
	}
}

func threshold(r policy.Report) bool {
	return slices.ContainsFunc(r.Findings, func(f policy.Finding) bool { return f.Rule == detect.RuleIndividuals })
}

// TestTheSameWithAnyWorkers: equal trees give equal facts.
func TestTheSameWithAnyWorkers(t *testing.T) {
	d := t.TempDir()
	for i := range 300 {
		write(t, filepath.Join(d, fmt.Sprintf("%03d", i)), strings.Repeat("x", i*700)+"MARK")
	}
	must(t, os.Link(filepath.Join(d, "007"), filepath.Join(d, "link")))
	var first []policy.Finding
	for workers := range 5 {
		w, err := store(t).Begin("k")
		must(t, err)
		sc := &Scanner{Detectors: setOf(t, marker("mark", nil)), Keyed: hmacKeyed, Expand: expand.Defaults(), Workers: workers}
		facts, err := sc.Scan(t.Context(), rootfs.Dir(d), w, nil)
		must(t, err)
		w.Abort()
		if workers == 0 {
			first = facts.Findings
		} else if diff := cmp.Diff(first, facts.Findings); diff != "" {
			t.Errorf("%d workers (-one +now):\n%s", workers, diff)
		}
	}
	if len(first) != 301 {
		t.Errorf("%d findings, want 301", len(first))
	}
}

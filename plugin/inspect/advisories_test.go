package inspect

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/phigate/phigate/plugin/cache"
	"github.com/phigate/phigate/plugin/rootfs"
	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/detect"
	"github.com/phigate/phigate/policy/detect/pkgdb"
	"github.com/phigate/phigate/policy/osv"
)

// advisory is one about all versions of a package before another.
func advisory(id, ecosystem, name, fixed string) string {
	return fmt.Sprintf(`{"id":%q,"modified":"2026-03-01T00:00:00Z","affected":[{"package":{"ecosystem":%q,"name":%q},"ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"},{"fixed":%q}]}]}]}`,
		id, ecosystem, name, fixed)
}

func advisories(t testing.TB, texts ...string) *osv.Database {
	t.Helper()
	d := osv.New()
	for _, text := range texts {
		must(t, d.Add([]byte(text)))
	}
	return d
}

// debian are the layers of an image: a release with its packages, programs, and
// an upgrade.
var debian = []map[string]string{
	{
		"/usr/lib/os-release":  "ID=debian\nVERSION_ID=12\n",
		"/var/lib/dpkg/status": "Package: libssl3\nStatus: install ok installed\nSource: openssl\nVersion: 3.0.9-1\n\nPackage: bash\nStatus: install ok installed\nVersion: 5.2-1\n",
	},
	{"/app/lib/META-INF/maven/g/a/pom.properties": "groupId=g\nartifactId=a\nversion=1.0\n"},
	{"/var/lib/dpkg/status": "Package: libssl3\nStatus: install ok installed\nSource: openssl\nVersion: 3.0.11-1\n"},
}

func scanned(t *testing.T, layers []map[string]string) (*Files, []string) {
	t.Helper()
	s := store(t)
	var keys []string
	for i, files := range layers {
		root := t.TempDir()
		for name, content := range files {
			write(t, filepath.Join(root, name), content)
		}
		key := fmt.Sprintf("sha256:%d", i)
		scanTree(t, s, key, rootfs.Layer(root), pkgdb.Insecure())
		keys = append(keys, key)
	}
	return &Files{Store: s}, keys
}

// messages are the findings that are violations already.
func messages(r policy.Report) []string {
	out := []string{}
	for _, f := range r.Findings {
		if !f.From.IsZero() {
			continue
		}
		out = append(out, strings.TrimPrefix(f.Where.Layer, "sha256:")+" "+f.Where.Full()+" "+f.Message)
	}
	slices.Sort(out)
	return out
}

func unlooked(r policy.Report) []string {
	out := []string{}
	for _, k := range r.Skipped {
		out = append(out, k.Where+" "+k.Reason)
	}
	slices.Sort(out)
	return out
}

// TestAdvisories: other advisories give other answers about layers that were read
// once, and what an upgrade replaces does not count.
func TestAdvisories(t *testing.T) {
	f, keys := scanned(t, debian)
	openssl := advisory("DSA-1-1", "Debian:12", "openssl", "3.0.11-1~deb12u2")
	later := advisory("DSA-2-1", "Debian:12", "openssl", "3.0.12-1")
	const status, pom = "/var/lib/dpkg/status", "/app/lib/META-INF/maven/g/a/pom.properties"
	for _, c := range []struct {
		name          string
		layers        []string
		database      *osv.Database
		trouble       string
		want, skipped []string
	}{
		{"none", keys, nil, "", []string{}, []string{}},
		{"affected", keys[:2], advisories(t, openssl), "", []string{"0 " + status + " openssl: DSA-1-1, mended by 3.0.11-1~deb12u2 (advisories of 2026-03-01)"},
			[]string{pom + " no advisories were given for Maven"}},
		{"mended_above", keys, advisories(t, openssl), "", []string{}, []string{pom + " no advisories were given for Maven"}},
		{"newer_advisory", keys, advisories(t, openssl, later, advisory("GHSA-1", "Maven", "g:a", "1.0.1")), "", []string{
			"1 " + pom + " g:a: GHSA-1, mended by 1.0.1 (advisories of 2026-03-01)",
			"2 " + status + " openssl: DSA-2-1, mended by 3.0.12-1 (advisories of 2026-03-01)"}, []string{}},
		{"several", keys[:1], advisories(t, openssl, later, advisory("DSA-3-1", "Debian:12", "openssl", "4"), advisory("DSA-4-1", "Debian:12", "openssl", "4")), "",
			[]string{"0 " + status + " openssl: DSA-1-1, DSA-2-1, DSA-3-1 and 1 more, mended by newer versions (advisories of 2026-03-01)"}, []string{}},
		{"another_release", keys[:1], advisories(t, advisory("DSA-1-1", "Debian:11", "openssl", "9")), "", []string{},
			[]string{status + " no advisories were given for Debian 12"}},
		{"release_unknown", keys[2:], advisories(t, openssl), "", []string{},
			[]string{status + " packages of a distribution that is not known, which advisories cannot be told for"}},
		{"trouble", keys[:1], advisories(t, openssl), "1 of 2 cannot be read", []string{"0 " + status + " openssl: DSA-1-1, mended by 3.0.11-1~deb12u2 (advisories of 2026-03-01)"},
			[]string{"advisories 1 of 2 cannot be read"}},
		{"trouble_alone", keys[:1], nil, "they are being read", []string{}, []string{"advisories they are being read"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f.SetAdvisories(c.database, c.trouble)
			must(t, f.Warm(t.Context(), &policy.Policy{}, c.layers))
			p := &policy.Policy{Digest: "sha256:p", Catalogue: map[string]policy.Info{pkgdb.Rule: pkgdb.Insecure().Info}}
			for range 2 { // computed, then remembered
				r := f.Inspect(t.Context(), subject(c.layers...), p)
				if diff := cmp.Diff(c.want, messages(r)); diff != "" {
					t.Errorf("findings (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff(c.skipped, unlooked(r)); diff != "" {
					t.Errorf("skipped (-want +got):\n%s", diff)
				}
				dates := policy.SoftwareFacts{Table: pkgdb.TableDate}
				if c.database != nil {
					dates.Advisories = "2026-03-01"
				}
				if r.Software != dates {
					t.Errorf("compared with %+v, want %+v", r.Software, dates)
				}
				for _, found := range r.Findings {
					if c.name == "several" && found.Package != "" && (found.Package != "openssl" || found.Advisories != "DSA-1-1 DSA-2-1 DSA-3-1 DSA-4-1") {
						t.Errorf("the finding is about %s of %s", found.Advisories, found.Package)
					}
				}
			}
		})
	}
}

// TestManyComparisons: an image that names more than can be compared in time is
// told so.
func TestManyComparisons(t *testing.T) {
	d := advisories(t, advisory("A-1", "Go", "a", "2"))
	c := comparison{database: d, left: 3 * d.Candidates(osv.Go, "a")}
	var many []detect.Package
	for i := range 5 {
		many = append(many, detect.Package{Kind: detect.GoModule, Name: "a", Version: fmt.Sprintf("1.%d", i)})
	}
	c.file(named{path: "/a", packages: many})
	if len(c.findings) != 1 || c.findings[0].Count != 3 || len(c.skipped) != 1 || c.skipped[0].Kind != policy.Unscannable {
		t.Errorf("%d findings, %d skipped", len(c.findings), len(c.skipped))
	}
}

// TestSoftwareList: what is written is read again, and what is damaged is not
// believed.
func TestSoftwareList(t *testing.T) {
	want := []named{
		{path: "/a", packages: []detect.Package{{Kind: detect.GoModule, Name: "m", Version: "v1"}, {Kind: detect.DpkgSource, Name: "n", Version: "2"}}},
		{path: "/b\xff", inside: "c!d"},
	}
	var s software
	for _, n := range want {
		if !s.add(n) {
			t.Fatal("there is no room")
		}
	}
	coded := s.encode()
	got, err := decodeSoftware(&cache.Facts{Software: coded})
	must(t, err)
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(named{})); diff != "" {
		t.Errorf("read again (-want +got):\n%s", diff)
	}
	for i := range coded {
		_, _ = decodeSoftware(&cache.Facts{Software: coded[:i]}) // must come to an end
	}
	for name, raw := range map[string][]byte{"cut": s.raw[:len(s.raw)-1], "kind": []byte("\x01a\x00\x01\xff\x00\x00"), "count": []byte("\x01a\x00\xff\xff\x7f")} {
		damaged := software{raw: raw}
		if _, err := decodeSoftware(&cache.Facts{Software: damaged.encode()}); !errors.Is(err, cache.ErrCorrupt) {
			t.Errorf("%s: error %v, want that it is damaged", name, err)
		}
	}
	full := software{packages: maxSoftware}
	if full.add(want[0]) || full.raw != nil {
		t.Error("more is kept than there is room for")
	}
}

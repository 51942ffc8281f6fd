package osv

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// openssl is an advisory as Debian's are: one package in two releases.
const openssl = `{"schema_version":"1.6.0","id":"DSA-1-1","modified":"2026-03-01T10:00:00Z","aliases":["CVE-2026-1"],
"affected":[
 {"package":{"ecosystem":"Debian:12","name":"openssl","purl":"pkg:deb/debian/openssl"},"ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"},{"fixed":"3.0.11-1~deb12u2"}]}],"versions":["3.0.11-1~deb12u1"]},
 {"package":{"ecosystem":"Debian:11","name":"openssl"},"ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"}]}]}]}`

// many makes an advisory about one package.
func many(id, ecosystem, name, ranges, versions string) string {
	return fmt.Sprintf(`{"id":%q,"modified":"2025-01-01T00:00:00Z","affected":[{"package":{"ecosystem":%q,"name":%q},"ranges":[%s],"versions":[%s]}]}`, id, ecosystem, name, ranges, versions)
}

func TestMatch(t *testing.T) {
	d := New()
	for _, text := range []string{
		openssl,
		many("GO-1", "Go", "stdlib", `{"type":"SEMVER","events":[{"fixed":"1.20.5"},{"introduced":"1.20.0-0"},{"introduced":"0"},{"fixed":"1.19.10"}]}`, ""),
		many("GHSA-1", "Maven", "org.a:b", `{"type":"ECOSYSTEM","events":[{"introduced":"2.0-beta9"},{"last_affected":"2.3"}]}`, `"1.0","2.1"`),
		many("ALPINE-1", "Alpine:v3.19", "musl", `{"type":"ECOSYSTEM","events":[{"introduced":"0"},{"fixed":"1.2.4-r3"}]}`, ""),
		many("RHSA-1", "Red Hat:enterprise_linux:9::baseos", "openssl-libs", `{"type":"ECOSYSTEM","events":[{"introduced":"0"},{"fixed":"1:3.0.7-16.el9_2"}]}`, ""),
		many("RLSA-1", "Rocky Linux:9", "openssl", `{"type":"ECOSYSTEM","events":[{"introduced":"0"},{"fixed":"0:1-1"}]},{"type":"GIT","events":[{"introduced":"0"}]}`, ""),
		many("USN-1", "Ubuntu:22.04:LTS", "bash", `{"type":"ECOSYSTEM","events":[{"introduced":"0"},{"limit":"5.1-7"}]}`, ""),
		many("USN-2", "Ubuntu:Pro:18.04:LTS", "bash", `{"type":"ECOSYSTEM","events":[{"introduced":"0"}]}`, ""),
		many("MAL-1", "npm", "bash", `{"type":"SEMVER","events":[{"introduced":"0"}]}`, ""),
	} {
		if err := d.Add([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		ecosystem              Ecosystem
		release, name, version string
		want                   string // "id fixed", empty: none
	}{
		"before":            {Debian, "12", "openssl", "3.0.9-1", "DSA-1-1 3.0.11-1~deb12u2"},
		"mended":            {Debian, "12", "openssl", "3.0.11-1~deb12u2", ""},
		"never_mended":      {Debian, "11", "openssl", "9", "DSA-1-1 "},
		"another_release":   {Debian, "13", "openssl", "1", ""},
		"another_ecosystem": {Ubuntu, "12", "openssl", "1", ""},
		"first_range":       {Go, "", "stdlib", "1.19.9", "GO-1 1.19.10"},
		"between":           {Go, "", "stdlib", "1.19.10", ""},
		"second_range":      {Go, "", "stdlib", "1.20.4", "GO-1 1.20.5"},
		"last_affected":     {Maven, "", "org.a:b", "2.3", "GHSA-1 "},
		"after_last":        {Maven, "", "org.a:b", "2.3.1", ""},
		"listed":            {Maven, "", "org.a:b", "1.0", "GHSA-1 "},
		"alpine":            {Alpine, "3.19", "musl", "1.2.4-r2", "ALPINE-1 1.2.4-r3"},
		"red_hat":           {RedHat, "9", "openssl-libs", "1:3.0.7-6.el9_2", "RHSA-1 1:3.0.7-16.el9_2"},
		"red_hat_mended":    {RedHat, "9", "openssl-libs", "1:3.0.7-24.el9", ""},
		"commits":           {RockyLinux, "9", "openssl", "1-1", ""},
		"limit":             {Ubuntu, "22.04", "bash", "5.1-6", "USN-1 "},
		"paid":              {Ubuntu, "18.04", "bash", "1", ""},
	} {
		t.Run(name, func(t *testing.T) {
			var got string
			for _, m := range d.Match(c.ecosystem, c.release, c.name, c.version) {
				got += m.ID + " " + m.Fixed
			}
			if got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
	if want := time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC); d.Advisories() != 7 || d.Ignored() != 2 || !d.Date().Equal(want) {
		t.Errorf("%d advisories, %d ignored, of %s", d.Advisories(), d.Ignored(), d.Date())
	}
	if !d.Covers(Debian, "11") || d.Covers(Debian, "10") || !d.Covers(Go, "") {
		t.Error("covers what it does not, or not what it does")
	}
	if n := d.Candidates(Debian, "openssl"); n < 2 {
		t.Errorf("%d candidates, want the two records at least", n)
	}
}

// TestAllReleases: an advisory without a release is about all of them.
func TestAllReleases(t *testing.T) {
	d := New()
	if err := d.Add([]byte(many("A-1", "Debian", "a", `{"type":"ECOSYSTEM","events":[{"introduced":"0"}]}`, ""))); err != nil {
		t.Fatal(err)
	}
	if !d.Covers(Debian, "12") || len(d.Match(Debian, "12", "a", "1")) != 1 {
		t.Error("an advisory about all releases is about none")
	}
}

func TestWithdrawn(t *testing.T) {
	d := New()
	text := strings.Replace(openssl, `"id"`, `"withdrawn":"2026-03-02T00:00:00Z","id"`, 1)
	if err := d.Add([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if d.Advisories() != 0 || d.Ignored() != 1 || len(d.Match(Debian, "12", "openssl", "1")) != 0 {
		t.Error("a withdrawn advisory counts")
	}
}

func TestDigest(t *testing.T) {
	digest := func(texts ...string) string {
		d := New()
		for _, text := range texts {
			if err := d.Add([]byte(text)); err != nil {
				t.Fatal(err)
			}
		}
		return d.Digest()
	}
	other := strings.Replace(openssl, "3.0.11", "3.0.12", 1)
	if digest(openssl) != digest(openssl) || digest(openssl) == digest(other) || digest() == digest(openssl) {
		t.Error("the digest does not name what is known")
	}
}

// TestInvalid: what is no advisory is an error that says why and quotes nothing.
func TestInvalid(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"empty":         {"", "wrong or ends at byte 0"},
		"cut":           {openssl[:100], "the JSON is wrong or ends at byte 100"},
		"no_json":       {"hello", "the JSON is wrong or ends at byte 1"},
		"array":         {"[" + openssl + "]", "the whole has the wrong type, array"},
		"other_json":    {`{"vulnerabilities":[]}`, "it has no id"},
		"wrong_type":    {`{"id":"A-1","affected":[{"package":"secretname"}]}`, "affected.package has the wrong type, string"},
		"control_in_id": {`{"id":"A\u001b[31m"}`, "its id is too long"},
		"long_id":       {`{"id":"` + strings.Repeat("A", 200) + `"}`, "its id is too long"},
		"long_name":     {many("A-1", "Go", strings.Repeat("a", 600), "", ""), "a name or a version is too long"},
		"control":       {many("A-1", "Go", "a", "", `"1\n2"`), "a name or a version is too long"},
		"too_deep":      {strings.Repeat(`{"a":`, 100_000), "the JSON is wrong or ends at byte"},
		"huge":          {`{"id":"A-1","x":"` + strings.Repeat("a", MaxAdvisory) + `"}`, "more than 8 MiB"},
	} {
		t.Run(name, func(t *testing.T) {
			d := New()
			err := d.Add([]byte(c.text))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("error %v, want %q in it", err, c.want)
			}
			if strings.Contains(err.Error(), "secretname") || d.Advisories() != 0 {
				t.Error("the text is quoted, or something of it was kept")
			}
		})
	}
}

func TestTooLarge(t *testing.T) {
	d := New()
	d.kept = MaxKept
	if err := d.Add([]byte(openssl)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("error %v, want that it is too large", err)
	}
}

func TestOfDistribution(t *testing.T) {
	for text, want := range map[string]string{
		"debian 12": "Debian 12", "debian 12.5": "Debian 12", "ubuntu 22.04": "Ubuntu 22.04", "alpine 3.19.1": "Alpine 3.19", "rhel 9.4": "Red Hat 9",
		"centos 7": "Red Hat 7", "rocky 9.3": "Rocky Linux 9", "almalinux 8.9": "AlmaLinux 8", "wolfi 20230201": "Wolfi ",
		"chainguard 20230214": "Chainguard ", "debian ": "", "debian x": "", "alpine 3.19_alpha": "", "mine 1": "",
	} {
		id, versionID, _ := strings.Cut(text, " ")
		got := ""
		if e, r, ok := OfDistribution(id, versionID); ok {
			got = e.String() + " " + r
		}
		if got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
}

// TestRecord: what is written is read again.
func TestRecord(t *testing.T) {
	want := record{id: 300, release: "12", spans: []span{{"0", fixed, "1.2"}, {"2", endless, ""}}, versions: []string{"a", ""}}
	got, rest := decodeRecord(append(want.append(nil), 7))
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(record{}, span{})); diff != "" || len(rest) != 1 {
		t.Errorf("rest %d bytes (-want +got):\n%s", len(rest), diff)
	}
	if least := len((&record{versions: []string{""}}).append(nil)); least != leastRecord {
		t.Errorf("the least record has %d bytes, want %d", least, leastRecord)
	}
}

func FuzzAdd(f *testing.F) {
	f.Add([]byte(openssl), "openssl", "3.0.9-1")
	f.Add([]byte(many("GO-1", "Go", "stdlib", `{"type":"SEMVER","events":[{"fixed":"1.20.5"},{"introduced":"0"}]}`, `"1"`)), "stdlib", "1.2")
	f.Add([]byte(many("A", "Alpine:v3.19", "a", `{"events":[{"limit":"*"},{"introduced":"0","fixed":"0"}]}`, `""`)), "a", "")
	f.Fuzz(func(t *testing.T, text []byte, name, v string) {
		d := New()
		if err := d.Add(text); err != nil {
			return
		}
		for e := range Ecosystem(len(ecosystems)) {
			for _, m := range d.Match(e, "12", name, v) {
				if m.ID == "" {
					t.Error("a match without an advisory")
				}
			}
		}
	})
}

package pkgdb

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/phigate/phigate/policy/detect"
	"github.com/phigate/phigate/policy/detect/detecttest"
)

func TestTable(t *testing.T) {
	asOf := day(TableDate)
	if asOf.IsZero() {
		t.Fatal("the table has no date")
	}
	seen := map[string]bool{}
	for _, r := range releases() {
		key := r.name + " " + r.version
		if r.ends.IsZero() || seen[key] {
			t.Errorf("%s has no end, or stands twice", key)
		}
		seen[key] = true
	}
	for _, f := range flaws() {
		if compare(f.from, f.below) >= 0 || f.what == "" || len(f.names) == 0 {
			t.Errorf("%q has no range", f.what)
		}
	}
}

const pomLog4j = "#Created by Apache Maven 3.8\nversion=2.14.1\ngroupId=org.apache.logging.log4j\nartifactId=log4j-core\n"

func TestInsecure(t *testing.T) {
	const dpkg, apk = "/var/lib/dpkg/status", "/lib/apk/db/installed"
	for name, c := range map[string]struct {
		path, content, want string
		from                string
	}{
		"debian_ended":     {"/etc/os-release", "ID=debian\nVERSION_ID=\"10\"\n", "Release of debian 10 that ended on 2024-06-30", "2024-06-30"},
		"alpine_digits":    {"/usr/lib/os-release", "ID=alpine\nVERSION_ID=3.22.1\n", "Release of alpine 3.22 that ended on 2027-05-01", "2027-05-01"},
		"unknown":          {"/etc/os-release", "ID=mine\nVERSION_ID=1\n", "", ""},
		"another_file":     {"/srv/os-release", "ID=debian\nVERSION_ID=10\n", "", ""},
		"no_prefix":        {"/etc/os-release", "ID=alpine\nVERSION_ID=3.2\n", "", ""},
		"xz":               {dpkg, "Package: liblzma5\nStatus: install ok installed\nVersion: 5.6.1-1\n\n", "xz with a back door, CVE-2024-3094", ""},
		"xz_really":        {dpkg, "Package: liblzma5\nStatus: install ok installed\nVersion: 5.6.1+really5.4.5-1\n", "", ""},
		"removed":          {dpkg, "Package: xz-utils\nStatus: deinstall ok config-files\nVersion: 5.6.0-1\n", "", ""},
		"distroless":       {"/var/lib/dpkg/status.d/openssl", "Package: openssl\nVersion: 1.0.2u-1\n", "OpenSSL before 1.1.1, which nobody mends", ""},
		"openssl":          {dpkg, "Package: openssl\nStatus: install ok installed\nVersion: 3.0.11-1~deb12u2\n", "", ""},
		"apk":              {apk, "C:Q1x\nP:xz-libs\nV:5.6.0-r0\nA:x86_64\n\nP:busybox\nV:1.36\n", "xz with a back door, CVE-2024-3094", ""},
		"apk_without_name": {apk, "V:5.6.0-r0\n\n", "", ""},
		"log4j":            {"/app/lib/log4j-core-2.14.1.jar", "PK", "log4j-core that runs what it logs, CVE-2021-44228", ""},
		"log4j_nested":     {"/app/a.war!WEB-INF/lib/log4j-core-2.0.jar", "PK", "log4j-core that runs what it logs, CVE-2021-44228", ""},
		"log4j_mended":     {"/app/lib/log4j-core-2.12.4.jar", "PK", "", ""},
		"log4j_new":        {"/app/lib/log4j-core-2.17.1.jar", "PK", "", ""},
		"log4j_api":        {"/app/lib/log4j-api-2.14.1.jar", "PK", "", ""},
		"no_version":       {"/app/lib/log4j-core.jar", "PK", "", ""},
		"pom":              {"/app/all.jar!META-INF/maven/org.apache.logging.log4j/log4j-core/pom.properties", pomLog4j, "log4j-core that runs what it logs, CVE-2021-44228", ""},
		"pom_of_its_name":  {"/a/log4j-core-2.14.1.jar!META-INF/maven/org.apache.logging.log4j/log4j-core/pom.properties", pomLog4j, "", ""},
		"pom_elsewhere":    {"/src/pom.properties", pomLog4j, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := detecttest.Run(Insecure(), c.path, []byte(c.content)).Of("insecure-software")
			switch {
			case f == nil && c.want != "", f != nil && c.want == "":
				t.Fatalf("found %v, want %q", f != nil, c.want)
			case f == nil:
				return
			}
			if want := c.want + tableNote; f.Message != want {
				t.Errorf("found %q, want %q", f.Message, want)
			}
			from := ""
			if !f.From.IsZero() {
				from = f.From.Format(time.DateOnly)
			}
			if from != c.from {
				t.Errorf("from %q, want %q", from, c.from)
			}
		})
	}
	detecttest.Accept(t, Insecure(), []byte("Package: secretinternalpackage\nStatus: install ok installed\nVersion: 1\n\nPackage: xz-utils\nStatus: install ok installed\nVersion: 5.6.0-1\n\n"),
		"/var/lib/dpkg/status", detecttest.Secrets("secretinternalpackage"))
}

// TestPackages: what a file names is given as advisories name it.
func TestPackages(t *testing.T) {
	for name, c := range map[string]struct {
		path, content string
		want          []detect.Package
	}{
		"release": {"/etc/os-release", "ID=debian\nVERSION_ID=\"12\"\n", []detect.Package{{Kind: detect.Distribution, Name: "debian", Version: "12"}}},
		"rolling": {"/etc/os-release", "NAME=Debian\nID=debian\n", []detect.Package{{Kind: detect.Distribution, Name: "debian", Version: "-"}}},
		"dpkg": {"/var/lib/dpkg/status", "Package: libssl3\nStatus: install ok installed\nSource: openssl\nVersion: 3.0.11-1\n\n" +
			"Package: openssl\nStatus: install ok installed\nVersion: 3.0.11-1\n\nPackage: gone\nStatus: deinstall ok config-files\nVersion: 1\n\n" +
			"Package: libgcc-s1\nStatus: install ok installed\nSource: gcc-12 (12.2.0-14)\nVersion: 12.2.0-14+b1\n",
			[]detect.Package{{Kind: detect.DpkgSource, Name: "openssl", Version: "3.0.11-1"}, {Kind: detect.DpkgSource, Name: "gcc-12", Version: "12.2.0-14"}}},
		"apk": {"/lib/apk/db/installed", "P:libcrypto3\nV:3.1.4-r5\no:openssl\n\nP:musl\nV:1.2.4-r2\n",
			[]detect.Package{{Kind: detect.APKOrigin, Name: "openssl", Version: "3.1.4-r5"}, {Kind: detect.APKOrigin, Name: "musl", Version: "1.2.4-r2"}}},
		"pom":       {"/a.jar!META-INF/maven/g/a/pom.properties", "groupId=g\nartifactId=a\nversion=1\n", []detect.Package{{Kind: detect.MavenArtifact, Name: "g:a", Version: "1"}}},
		"pom_empty": {"/a.jar!META-INF/maven/g/a/pom.properties", "groupId=g\nversion=1\n", nil},
		"too_long":  {"/lib/apk/db/installed", "P:" + strings.Repeat("a", 300) + "\nV:1\n", nil},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, detecttest.Run(Insecure(), c.path, []byte(c.content)).Packages); diff != "" {
				t.Errorf("packages (-want +got):\n%s", diff)
			}
		})
	}
}

// TestManyPackages: what there is no room for is said.
func TestManyPackages(t *testing.T) {
	var b strings.Builder
	for i := range 20_001 {
		fmt.Fprintf(&b, "P:a%d\nV:1\n\n", i)
	}
	got := detecttest.Run(Insecure(), "/lib/apk/db/installed", []byte(b.String()))
	if len(got.Packages) != 20_000 || len(got.Skipped) != 1 || !strings.Contains(got.Skipped[0].Reason, "more than 20000 packages") {
		t.Errorf("%d packages, %d skipped", len(got.Packages), len(got.Skipped))
	}
}

func FuzzInsecure(f *testing.F) {
	f.Add("/var/lib/dpkg/status", []byte("Package: xz-utils\nVersion: 5.6.0\n\n"))
	f.Add("/etc/os-release", []byte("ID=debian\nVERSION_ID=10"))
	f.Add("/a/log4j-core-2.0.jar", []byte{})
	f.Add("/lib/apk/db/installed", []byte("P:\nV:\n\nP:a\nV:1:-+really"))
	f.Add("/a", goInfo("go1.21.1", "dep\tgolang.org/x/net\tv0.15.0\th1:\n"))
	f.Add("/a", []byte(goInfoBegins+goMark+goInfoEnds+goInfoBegins))
	f.Add("/a!META-INF/maven/a/b/pom.properties", []byte(pomLog4j))
	f.Fuzz(func(t *testing.T, path string, content []byte) {
		for _, k := range detecttest.Run(Insecure(), path, content).Skipped {
			if strings.Contains(k.Reason, "crashed") {
				t.Error("crashed")
			}
		}
	})
}

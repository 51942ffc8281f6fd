package pkgdb

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"
	"time"

	"github.com/phigate/phigate/policy/detect/detecttest"
)

func TestTable(t *testing.T) {
	asOf := day(tableDate)
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
	old := detecttest.Run(Insecure(), "/var/lib/rpm/Packages", []byte("\x00\x01"))
	if len(old.Skipped) != 1 || !strings.Contains(old.Skipped[0].Reason, "not read") {
		t.Errorf("a Berkeley DB passes in silence: %v", old.Skipped)
	}
	detecttest.Accept(t, Insecure(), []byte("Package: secretinternalpackage\nStatus: install ok installed\nVersion: 1\n\nPackage: xz-utils\nStatus: install ok installed\nVersion: 5.6.0-1\n\n"),
		"/var/lib/dpkg/status", detecttest.Secrets("secretinternalpackage"))
}

// header makes a header as rpm's database has it.
func header(tags map[uint32]string) []byte {
	var index, data bytes.Buffer
	for tag, text := range tags {
		for _, n := range []uint32{tag, typeString, uint32(data.Len()), 1} {
			_ = binary.Write(&index, binary.BigEndian, n)
		}
		data.WriteString(text + "\x00")
	}
	out := binary.BigEndian.AppendUint32(nil, uint32(len(tags)))
	out = binary.BigEndian.AppendUint32(out, uint32(data.Len()))
	return append(append(out, index.Bytes()...), data.Bytes()...)
}

func TestRPM(t *testing.T) {
	rows := [][]string{
		{"1", string(header(map[uint32]string{tagName: "bash", tagVersion: "5.1.8"}))},
		{"2", string(header(map[uint32]string{tagName: "openssl-libs", tagVersion: "1.0.2k"}))},
	}
	f := detecttest.Rows(Insecure(), "/var/lib/rpm/rpmdb.sqlite!Packages", []string{"hnum", "blob"}, rows).Of("insecure-software")
	if f == nil || !strings.HasPrefix(f.Message, "OpenSSL before 1.1.1") || f.Where.Offset != 1 || f.Count != 1 {
		t.Errorf("found %+v, want the second row", f)
	}
	if detecttest.Rows(Insecure(), "/srv/a.sqlite!Packages", []string{"hnum", "blob"}, rows).Of("insecure-software") != nil {
		t.Error("a database of another name is read as rpm's")
	}
}

func FuzzRPMHeader(f *testing.F) {
	f.Add(header(map[uint32]string{tagName: "a", tagVersion: "1"}))
	f.Add([]byte{0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 3, 232, 0, 0, 0, 6, 255, 255, 255, 255, 0, 0, 0, 1})
	f.Fuzz(func(t *testing.T, data []byte) {
		name, version, ok := rpmHeader(data)
		if ok != (name != "" && version != "") || len(name) > maxLine || len(version) > maxLine {
			t.Errorf("a name of %d and a version of %d bytes", len(name), len(version))
		}
	})
}

func FuzzInsecure(f *testing.F) {
	f.Add("/var/lib/dpkg/status", []byte("Package: xz-utils\nVersion: 5.6.0\n\n"))
	f.Add("/etc/os-release", []byte("ID=debian\nVERSION_ID=10"))
	f.Add("/a/log4j-core-2.0.jar", []byte{})
	f.Add("/lib/apk/db/installed", []byte("P:\nV:\n\nP:a\nV:1:-+really"))
	f.Fuzz(func(t *testing.T, path string, content []byte) {
		for _, k := range detecttest.Run(Insecure(), path, content).Skipped {
			if strings.Contains(k.Reason, "crashed") {
				t.Error("crashed")
			}
		}
	})
}

package pkgdb

import (
	"strconv"
	"strings"
	"time"

	"github.com/phigate/phigate/policy/detect"
)

// TableDate is the day as of which the table below was checked.
const TableDate = "2026-08-22"

const tableNote = " (table of " + TableDate + ")"

// release is a release of a distribution and the day after which its makers mend
// nothing for everybody: the end of LTS for Debian, of standard support for
// Ubuntu, of maintenance for the Red Hat family, Stream's for CentOS 8, which
// says no more of itself than the release that ended before.
type release struct {
	name, version string
	ends          time.Time
}

func day(text string) time.Time {
	t, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return time.Time{} // the test of the table finds it
	}
	return t
}

// releases: the makers' own pages, checked against endoflife.date of TableDate;
// where the two differ by days within a month, the makers' month's end.
func releases() []release {
	return []release{
		{"debian", "7", day("2018-05-31")}, {"debian", "8", day("2020-06-30")}, {"debian", "9", day("2022-06-30")}, {"debian", "10", day("2024-06-30")},
		{"debian", "11", day("2026-08-31")}, {"debian", "12", day("2028-06-30")}, {"debian", "13", day("2030-06-30")},
		{"ubuntu", "14.04", day("2019-04-30")}, {"ubuntu", "16.04", day("2021-04-30")}, {"ubuntu", "18.04", day("2023-05-31")},
		{"ubuntu", "20.04", day("2025-05-31")}, {"ubuntu", "22.04", day("2027-04-30")}, {"ubuntu", "24.04", day("2029-05-31")}, {"ubuntu", "26.04", day("2031-04-30")},
		{"ubuntu", "22.10", day("2023-07-20")}, {"ubuntu", "23.04", day("2024-01-25")}, {"ubuntu", "23.10", day("2024-07-12")},
		{"ubuntu", "24.10", day("2025-07-10")}, {"ubuntu", "25.04", day("2026-01-17")}, {"ubuntu", "25.10", day("2026-07-01")},
		{"alpine", "3.5", day("2018-11-01")}, {"alpine", "3.6", day("2019-05-01")}, {"alpine", "3.7", day("2019-11-01")}, {"alpine", "3.8", day("2020-05-01")},
		{"alpine", "3.9", day("2020-11-01")}, {"alpine", "3.10", day("2021-05-01")}, {"alpine", "3.11", day("2021-11-01")},
		{"alpine", "3.12", day("2022-05-01")}, {"alpine", "3.13", day("2022-11-01")}, {"alpine", "3.14", day("2023-05-01")},
		{"alpine", "3.15", day("2023-11-01")}, {"alpine", "3.16", day("2024-05-23")}, {"alpine", "3.17", day("2024-11-22")},
		{"alpine", "3.18", day("2025-05-09")}, {"alpine", "3.19", day("2025-11-01")}, {"alpine", "3.20", day("2026-04-01")},
		{"alpine", "3.21", day("2026-11-01")}, {"alpine", "3.22", day("2027-05-01")}, {"alpine", "3.23", day("2027-11-01")}, {"alpine", "3.24", day("2028-06-01")},
		{"centos", "5", day("2017-03-31")}, {"centos", "6", day("2020-11-30")}, {"centos", "7", day("2024-06-30")}, {"centos", "8", day("2024-05-31")},
		{"centos", "9", day("2027-05-31")}, {"centos", "10", day("2030-05-31")},
		{"rhel", "5", day("2017-03-31")}, {"rhel", "6", day("2020-11-30")}, {"rhel", "7", day("2024-06-30")}, {"rhel", "8", day("2029-05-31")},
		{"rhel", "9", day("2032-05-31")}, {"rhel", "10", day("2035-05-31")},
		{"rocky", "8", day("2029-05-31")}, {"rocky", "9", day("2032-05-31")}, {"rocky", "10", day("2035-05-31")},
		{"almalinux", "8", day("2029-05-31")}, {"almalinux", "9", day("2032-05-31")}, {"almalinux", "10", day("2035-05-31")},
		{"ol", "6", day("2021-03-31")}, {"ol", "7", day("2024-12-31")}, {"ol", "8", day("2029-07-31")}, {"ol", "9", day("2032-06-30")},
		{"fedora", "38", day("2024-05-21")}, {"fedora", "39", day("2024-11-26")}, {"fedora", "40", day("2025-05-13")}, {"fedora", "41", day("2025-12-15")},
		{"fedora", "42", day("2026-05-27")}, {"fedora", "43", day("2026-12-09")}, {"fedora", "44", day("2027-06-02")},
		{"opensuse-leap", "15.4", day("2023-12-07")}, {"opensuse-leap", "15.5", day("2024-12-31")}, {"opensuse-leap", "15.6", day("2026-04-30")},
		{"opensuse-leap", "16.0", day("2027-10-31")},
		{"amzn", "2018.03", day("2023-12-31")}, {"amzn", "2", day("2026-06-30")}, {"amzn", "2023", day("2029-06-30")},
	}
}

// releaseOf finds a release by os-release's ID and VERSION_ID: Alpine's and Red
// Hat's say more digits than the table.
func releaseOf(id, version string) (release, bool) {
	for _, r := range releases() {
		if id == r.name && (version == r.version || strings.HasPrefix(version, r.version+".")) {
			return r, true
		}
	}
	return release{}, false
}

// kind says by what a package was found.
type kind uint8

const (
	systemPackage kind = iota
	javaArchive
	goModule
)

// flaw is a range of versions with a known flaw: from (or all before) up to but
// without below, save those that were mended within.
type flaw struct {
	kind        kind
	names       []string
	from, below string
	mended      []string
	what        string
}

// flaws: openssl-library.org/policies/releasestrat, the CVE records named, and
// for Go GO-2023-2102 of vuln.go.dev.
func flaws() []flaw {
	return []flaw{
		{systemPackage, []string{"openssl", "libssl1.0.0", "libssl1.0.2", "libssl1.0", "openssl-libs", "libssl"}, "0.9", "1.1.1", nil, "OpenSSL before 1.1.1, which nobody mends"},
		{systemPackage, []string{"xz-utils", "liblzma5", "xz", "xz-libs"}, "5.6.0", "5.6.2", nil, "xz with a back door, CVE-2024-3094"},
		{javaArchive, []string{"log4j-core"}, "2.0", "2.17.1", []string{"2.3.2", "2.12.4"}, "log4j-core that runs what it logs, CVE-2021-44228"},
		{javaArchive, []string{"spring-beans"}, "5.3.0", "5.3.18", nil, "Spring that runs what it is sent, CVE-2022-22965"},
		{javaArchive, []string{"spring-beans"}, "3.0", "5.2.20", nil, "Spring that runs what it is sent, CVE-2022-22965"},
		{goModule, []string{"stdlib"}, "1.0", "1.20.10", nil, "Go whose HTTP/2 server a client can exhaust, CVE-2023-44487"},
		{goModule, []string{"stdlib"}, "1.21", "1.21.3", nil, "Go whose HTTP/2 server a client can exhaust, CVE-2023-44487"},
		{goModule, []string{"golang.org/x/net"}, "0.0", "0.17.0", nil, "golang.org/x/net whose HTTP/2 server a client can exhaust, CVE-2023-44487"},
		{javaArchive, []string{"commons-text"}, "1.5", "1.10.0", nil, "commons-text that runs what it is given, CVE-2022-42889"},
	}
}

// judge reports a package whose version has a known flaw.
func judge(k kind, name, version string, at int64, s *detect.Sink) {
	upstream := upstreamVersion(version)
	for _, f := range flaws() {
		if f.kind != k || !contains(f.names, name) || compare(upstream, f.from) < 0 || compare(upstream, f.below) >= 0 || contains(f.mended, upstream) {
			continue
		}
		s.FoundAs(f.what+tableNote, at)
		return
	}
}

func contains(all []string, one string) bool {
	for _, a := range all {
		if a == one {
			return true
		}
	}
	return false
}

// upstreamVersion takes the epoch, the packager's revision and "+really" off, as
// deb-version(7) has them: "1:5.6.1+really5.4.5-1" is 5.4.5.
func upstreamVersion(version string) string {
	if _, rest, ok := strings.Cut(version, ":"); ok {
		version = rest
	}
	if _, rest, ok := strings.Cut(version, "+really"); ok {
		version = rest
	}
	if i := strings.LastIndexByte(version, '-'); i > 0 {
		version = version[:i]
	}
	return version
}

// compare orders versions by their numbers, "1.0.2k" like 1.0.2.
func compare(a, b string) int {
	for a != "" || b != "" {
		var x, y int
		x, a = number(a)
		y, b = number(b)
		if x != y {
			return x - y
		}
	}
	return 0
}

// number takes the first number off a version; what has none counts as 0.
func number(version string) (n int, rest string) {
	part, rest, _ := strings.Cut(version, ".")
	end := 0
	for end < len(part) && end < 9 && part[end] >= '0' && part[end] <= '9' {
		end++
	}
	n, err := strconv.Atoi(part[:end])
	if err != nil {
		n = 0
	}
	return n, rest
}

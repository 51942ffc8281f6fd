package config

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/hipaa"
)

const digest1 = "sha256:1111111111111111111111111111111111111111111111111111111111111111"

// exceptionText is POLICY.md's exception; the lines that a test gives replace
// those with the same key.
func exceptionText(lines ...string) string {
	text := []string{
		"apiVersion: phigate.dev/v1alpha1",
		"kind: Exception",
		"metadata: {name: EX-2026-014}",
		"spec:",
		"  policies: [{name: clinic, rules: [phi-table]}]",
		"  selector: {images: {digests: [\"" + digest1 + "\"]}, namespaces: {in: [etl]}}",
		"  findings: [{path: \"/opt/lib/testdata/**\"}]",
		"  reason: Synthetic data for the integration tests",
		"  ticket: SEC-812",
		"  requestedBy: a@clinic.example",
		"  approvedBy: [b@clinic.example]",
		"  expiresAt: 2027-01-31T00:00:00Z",
		"  downgradeTo: audit",
	}
	for _, line := range lines {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		for i, old := range text {
			if strings.HasPrefix(strings.TrimSpace(old), key+":") {
				text[i] = line
				if value == "" {
					text[i] = "  # " + key
				}
			}
		}
	}
	return strings.Join(text, "\n") + "\n---\n" + ownHead + "spec: {mode: enforce}\n"
}

// whenRequired is the tests' catalogue, in which privileged supports a required
// specification.
func whenRequired() []policy.Info {
	infos := catalogue()
	infos[0].Cites = append(infos[0].Cites, hipaa.UniqueUser)
	return infos
}

func TestException(t *testing.T) {
	p := compile(t, exceptionText())
	all := p.Exceptions.All()
	if len(all) != 1 || len(p.Exceptions["phi-table"]) != 1 {
		t.Fatalf("got %d exceptions", len(all))
	}
	e := all[0]
	got := []string{e.ID, e.Source, e.Reason, e.Ticket, e.RequestedBy, strings.Join(e.ApprovedBy, ","), e.ExpiresAt.String(), e.DowngradeTo.String(), fmt.Sprint(e.Policies)}
	want := []string{"EX-2026-014", "dir/p.yaml:1", "Synthetic data for the integration tests", "SEC-812", "a@clinic.example", "b@clinic.example",
		"2027-01-31 00:00:00 +0000 UTC", "audit", "[{clinic [phi-table]}]"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	now := e.ExpiresAt.Add(-1)
	s := &policy.Subject{Pod: policy.Pod{Namespace: "etl"}, Image: policy.Image{Digest: digest1}}
	other := *s
	other.Pod.Namespace = "clinic-a"
	f := policy.Finding{Rule: "phi-table", Where: policy.Where{Path: "/opt/lib/testdata/a/b.csv"}}
	if !e.Holds("clinic", s, &f, now) || e.Holds("clinic", &other, &f, now) || e.Holds("clinic", s, &f, now.Add(1)) {
		t.Error("it holds for the digest in the namespace until its end, and for nothing else")
	}
	if e := compile(t, exceptionText("  downgradeTo:")).Exceptions.All()[0]; e.DowngradeTo != policy.Warn {
		t.Errorf("not said, it softens to %s, want warn", e.DowngradeTo)
	}
}

func TestExceptionOfAdvisories(t *testing.T) {
	e := compile(t, exceptionText("  findings: [{package: xz-utils, advisories: [CVE-2024-3094, 'RHSA-2024:1234']}]")).Exceptions.All()[0]
	if got := e.Findings[0].String(); got != "xz-utils: CVE-2024-3094, RHSA-2024:1234" {
		t.Errorf("excepted is %s", got)
	}
}

func TestExceptionPlaces(t *testing.T) {
	file := func(path, inside string) policy.Where { return policy.Where{Path: path, Inside: inside} }
	field := func(name string) policy.Where { return policy.Where{Field: name} }
	for _, c := range []struct {
		place string
		where policy.Where
		want  bool
	}{
		{"path: /opt/testdata/**", file("/opt/testdata/a.csv", ""), true},
		{"path: /opt/testdata/**", file("/opt/testdata2/a.csv", ""), false},
		{"path: /opt/testdata/**", field("mounts[0].source"), false},
		{"path: /opt/*.tgz", file("/opt/a.tgz", "data/b.csv"), true},
		{"path: /opt/a.tgz!data/*.csv", file("/opt/a.tgz", "data/b.csv"), true},
		{"path: /opt/a.tgz!data/*.csv", file("/opt/a.tgz", "real/b.csv"), false},
		{"path: /opt/a.tgz!data/*.csv", file("/opt/a.tgz", ""), false},
		{"field: process.env[*]", field("process.env[3]"), true},
		{"field: process.env[3]", field("process.env[33]"), false},
		{"field: process.env[*]", file("/process.env[3]", ""), false},
		{"field: mounts[*].source", field("mounts[12].source"), true},
		{"field: mounts[*].source", field("mounts[12].destination"), false},
	} {
		e := compile(t, exceptionText("  findings: [{"+strings.Replace(c.place, ": ", ": '", 1)+"'}]")).Exceptions.All()[0]
		if got := e.Findings[0].Match(c.where); got != c.want {
			t.Errorf("%s, %s: got %v, want %v", c.place, c.where, got, c.want)
		}
	}
}

func TestExceptionProblems(t *testing.T) {
	for _, c := range []struct{ name, line, want string }{
		{"no_end", "  expiresAt:", "5:3: expiresAt is missing: an exception ends by itself; write the moment, such as 2027-01-31T00:00:00Z"},
		{"end_without_zone", "  expiresAt: 2027-01-31T00:00:00", "12:14: expiresAt must be a moment with its zone"},
		{"end_without_time", "  expiresAt: 2027-01-31", "12:14: expiresAt must be a moment with its zone"},
		{"no_reason", "  reason: ' '", "5:3: reason is missing"},
		{"nobody_asked", "  requestedBy:", "5:3: requestedBy is missing"},
		{"nobody_approved", "  approvedBy:", "5:3: approvedBy is missing"},
		{"approved_by_who_asked", "  approvedBy: [c@clinic.example, ' A@Clinic.example']", "11:34: ` A@Clinic.example` requested the exception and cannot approve it"},
		{"no_policies", "  policies:", "6:3: policies is missing"},
		{"unknown_policy", "  policies: [{name: clinik, rules: [phi-table]}]", "5:21: `clinik` is no policy of these files; the catalogue's defaults are hipaa-baseline (did you mean `clinic`?)"},
		{"no_rules", "  policies: [{name: clinic}]", "5:15: rules is missing"},
		{"unknown_rule", "  policies: [{name: clinic, rules: [phi-tabel]}]", "5:37: rule `phi-tabel` does not exist, so it cannot be excepted; `phigate rules` lists the catalogue (did you mean `phi-table`?)"},
		{"no_selector", "  selector:", "5:3: selector names no image digest and no namespace"},
		{"empty_selector", "  selector: {namespaces: {notIn: [a]}}", "6:14: selector names no image digest and no namespace"},
		{"by_label", "  selector: {podLabels: {matchLabels: {a: b}}}", "6:26: an exception has no `podLabels`"},
		{"by_name", "  selector: {images: {match: ['**']}}", "6:30: an exception has no `match`"},
		{"digest", "  selector: {images: {digests: [abc]}}", "6:33: a digest is sha256:"},
		{"no_findings", "  findings:", "5:3: findings is missing"},
		{"path_and_field", "  findings: [{path: /a, field: b}]", "7:15: an entry of findings has either path"},
		{"advisories_of_nothing", "  findings: [{advisories: [CVE-2024-3094]}]", "7:15: package is missing"},
		{"package_whole", "  findings: [{package: xz-utils}]", "7:15: advisories is missing"},
		{"advisory_glob", "  findings: [{package: xz-utils, advisories: ['CVE-*']}]", "7:47: an advisory is named as the finding does"},
		{"package_and_path", "  findings: [{path: /a, package: xz-utils, advisories: [CVE-2024-3094]}]", "7:15: an entry of findings has either path"},
		{"relative_path", "  findings: [{path: a}]", "7:21: path: must be absolute"},
		{"stars", "  findings: [{path: /" + strings.Repeat("*", 10_000) + "}]", "7:21: the glob is too long"},
		{"braces", "  findings: [{path: '/" + strings.Repeat("{a,a,a,a,a,a}", 4) + "'}]", "7:21: the glob is too long"},
		{"field_stars", "  findings: [{field: 'a" + strings.Repeat("*", 17) + "'}]", "7:22: field: is the place that a finding names"},
		{"silent", "  downgradeTo: allow", "13:16: `downgradeTo` must be warn or audit, since what is excepted is recorded all the same"},
		{"name", "metadata: {}", "1:1: metadata.name is missing; give the exception a name"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, problems := Compile([]File{{Name: "p.yaml", Data: []byte(exceptionText(c.line))}}, catalogue())
			if p != nil || len(problems) == 0 || !strings.HasPrefix(problems[0].Error(), "p.yaml:"+c.want) {
				t.Errorf("got %v\nwant p.yaml:%s", problems, c.want)
			}
		})
	}
}

func TestExceptionWarnings(t *testing.T) {
	end := time.Date(2027, 1, 31, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name, line string
		now        time.Time
		want       string
	}{
		{"nothing", "", end.Add(-soon - time.Second), ""},
		{"no_moment", "", time.Time{}, ""},
		{"ends_soon", "", end.Add(-soon), "12:14: warning: exception `EX-2026-014` ends in less than 14 days"},
		{"ends_today", "", end.Add(-time.Second), "12:14: warning: exception `EX-2026-014` ends in less than a day"},
		{"has_ended", "", end, "12:14: warning: exception `EX-2026-014` has ended"},
		{"ends_hardly_ever", "", end.Add(-longest - time.Second), "12:14: warning: exception `EX-2026-014` ends in more than a year"},
		{"required", "  policies: [{name: clinic, rules: [privileged]}]", time.Time{}, "5:37: warning: rule `privileged` supports a required specification, 45 CFR 164.312(a)(2)(i)"},
		{"whole_namespace", "  selector: {namespaces: {in: [etl]}}", time.Time{}, "6:32: warning: the exception holds for every image in these namespaces"},
		{"whole_image", "  findings: [{path: '/**/testdata/**'}]", time.Time{}, "7:21: warning: `/**/testdata/**` reaches over the whole image"},
		{"every_field", "  findings: [{field: '*'}]", time.Time{}, "7:22: warning: `*` is every field"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, problems := Lint([]File{{Name: "p.yaml", Data: []byte(exceptionText(c.line))}}, whenRequired(), c.now)
			switch {
			case p == nil:
				t.Fatal(problems)
			case c.want == "" && len(problems) > 0, c.want != "" && (len(problems) != 1 || !strings.HasPrefix(problems[0].Error(), "p.yaml:"+c.want)):
				t.Errorf("got %v, want %q", problems, c.want)
			}
		})
	}
}

// TestOverride: a document of a later folder replaces one of an earlier, where
// it says so.
func TestOverride(t *testing.T) {
	vendor := File{Name: "lib/p.yaml", Data: []byte(exceptionText())}
	mine := func(layer int, old, new string) File {
		return File{Name: "etc/p.yaml", Layer: layer, Data: []byte(strings.ReplaceAll(exceptionText("  downgradeTo: warn"), old, new))}
	}
	p, problems := Compile([]File{vendor, mine(1, "name: EX-2026-014", "name: EX-2026-014, override: true")}, catalogue())
	if p != nil || len(problems) != 1 || !strings.Contains(problems[0].Error(), "policy `clinic` stands twice, first in lib/p.yaml:17; rename one of them, or write `override: true`") {
		t.Errorf("without override: got %v", problems)
	}
	both := mine(1, "}\n", ", override: true}\n")
	both.Data = []byte(strings.NewReplacer("name: EX-2026-014}", "name: EX-2026-014, override: true}", "name: clinic}", "name: clinic, override: true}").Replace(exceptionText("  downgradeTo: warn")))
	p, problems = Compile([]File{vendor, both}, catalogue())
	if p == nil || len(p.Documents) != 1 || len(p.Exceptions.All()) != 1 || p.Exceptions.All()[0].DowngradeTo != policy.Warn {
		t.Errorf("with override: got %v", problems)
	}
	both.Layer = 0
	if p, problems = Compile([]File{vendor, both}, catalogue()); p != nil || !strings.Contains(problems.Error(), "only a document of a folder that is read earlier") {
		t.Errorf("in the same folder: got %v", problems)
	}
}

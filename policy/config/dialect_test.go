package config

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/bmatcuk/doublestar/v4"
	"github.com/google/go-cmp/cmp"
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/phigate/phigate/policy"
)

// dialect writes a policy of one rule.
func dialect(scanner, match, action string) string {
	return "apiVersion: xray.aqua.security/v1\nkind: Policy\nmetadata: {name: d}\nspec:\n  rules:\n  - name: r\n    scanner: " +
		scanner + "\n    match: " + match + "\n    action: " + action + "\n"
}

// place and message of each finding, in order.
func told(findings []policy.Finding) []string {
	var out []string
	for _, f := range findings {
		out = append(out, f.Where.Field+": "+f.Message)
	}
	return out
}

// check asks the rules of a document whose needs the subject meets.
func check(d *policy.Document, s *policy.Subject) []policy.Finding {
	var out []policy.Finding
	for _, r := range d.Rules {
		if s.Sees.Has(r.Needs) || r.Early != 0 && s.Sees.Has(r.Early) {
			out = append(out, r.Check(s)...)
		}
	}
	return out
}

func TestFileScanner(t *testing.T) {
	for _, c := range []struct {
		name, match string
		hits, clean []string
	}{
		{"name", `{any: ["name: *.csv"]}`, []string{"/a.csv", "/x/y/.csv", "/x/\xff.csv"}, []string{"/a.CSV", "/a.csv.gz", "/a.csv/b"}},
		{"name_in_braces", `{any: ["name: *.{csv,sql}"]}`, []string{"/a.csv", "/b.sql"}, []string{"/csv"}},
		{"name_whole", `{any: ["name: patients"]}`, []string{"/patients", "/x/patients"}, []string{"/xpatients", "/patients/x"}},
		{"name_as_mapping", `{any: [{name: "*.csv"}]}`, []string{"/a.csv"}, []string{"/a"}},
		{"name_in_inner_quotes", `{any: ['name: "*.csv"']}`, []string{"/a.csv"}, []string{"/a"}},
		{"folder", `{any: ["path: /data/phi/"]}`, []string{"/data/phi/a", "/data/phi/x/y"}, []string{"/data/phi", "/data/phix", "/data/phi2/a", "/x/data/phi/a"}},
		{"no_slash", `{any: ["path: /data/phi"]}`, []string{"/data/phi", "/data/phi/a"}, []string{"/data/phix", "/data"}},
		{"unclean_folder", `{any: ["path: //data/./phi//"]}`, []string{"/data/phi/a"}, []string{"/data/a"}},
		{"root", `{any: ["path: /"]}`, []string{"/a", "/b/c"}, nil},
		{"any", `{any: ["name: *.sql", "path: /data/"]}`, []string{"/a.sql", "/data/a", "/data/a.sql"}, []string{"/a"}},
		{"all", `{all: ["name: *.sql", "path: /data/"]}`, []string{"/data/a.sql"}, []string{"/a.sql", "/data/a"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := compile(t, dialect("file", c.match, "block")).Documents[0]
			if len(d.FileRules) != 1 || d.Actions["r"] != policy.Block || d.Mode != nil || d.FileRules[0].ID != "r" {
				t.Fatalf("got %d file rules", len(d.FileRules))
			}
			for _, file := range c.hits {
				if !d.FileRules[0].Match(file) {
					t.Errorf("%q is not matched", file)
				}
			}
			for _, file := range c.clean {
				if d.FileRules[0].Match(file) {
					t.Errorf("%q is matched", file)
				}
			}
		})
	}
}

func TestFileScannerPrefixes(t *testing.T) {
	d := compile(t, dialect("file", `{any: ["path: /data/phi/", "path: /srv/x.db", "name: a"]}`, "block")).Documents[0]
	if diff := cmp.Diff([]string{"/data/phi/", "/srv/x.db/", "/srv/"}, d.FileRules[0].Prefixes); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestFileScannerMounts(t *testing.T) {
	for _, c := range []struct {
		name, match, source, destination string
		want                             []string
	}{
		{"to", `{any: ["path: /data/phi/"]}`, "/x", "/data/phi", []string{"mounts[0].destination: mount to the forbidden path /data/phi"}},
		{"to_below", `{any: ["path: /data/phi/"]}`, "/x", "/data/phi/a/", []string{"mounts[0].destination: mount to the forbidden path /data/phi/a"}},
		{"to_unclean", `{any: ["path: /data/phi/"]}`, "/x", "/data/../data/phi", []string{"mounts[0].destination: mount to the forbidden path /data/phi"}},
		{"from", `{any: ["path: /data/phi/"]}`, "/data/phi/2026", "/mnt", []string{"mounts[0].source: mount from the forbidden path /data/phi/2026"}},
		{"from_a_link", `{any: ["path: /data/phi/"]}`, "/link", "/mnt", []string{"mounts[0].source: mount from the forbidden path /data/phi"}},
		{"from_above", `{any: ["path: /data/phi/"]}`, "/data", "/mnt", []string{"mounts[0].source: mount from /data, which holds the forbidden path /data/phi"}},
		{"elsewhere", `{any: ["path: /data/phi/"]}`, "/srv/data/phi", "/data/phix", nil},
		{"pseudo_file_system", `{any: ["path: /data/phi/"]}`, "data/phi", "/proc", nil},
		{"no_path_no_rule", `{any: ["name: *.csv"]}`, "/a.csv", "/a.csv", nil},
		{"all_with_name", `{all: ["name: *.csv", "path: /data/"]}`, "/x/a.csv", "/data/b", []string{"mounts[0].destination: mount to the forbidden path /data/b"}},
		{"all_without_name", `{all: ["name: *.csv", "path: /data/"]}`, "/x/a", "/data/b", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := compile(t, dialect("file", c.match, "block")).Documents[0]
			s := &policy.Subject{
				Sees: policy.FactMounts | policy.FactHostPaths,
				Spec: &specs.Spec{Mounts: []specs.Mount{{Source: c.source, Destination: c.destination}}},
				Host: policy.Host{RealPath: map[string]string{"/link": "/data/phi"}},
			}
			if diff := cmp.Diff(c.want, told(check(&d, s))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestNetworkScanner(t *testing.T) {
	ports := []policy.Port{
		{Number: 21, Protocol: "tcp", Field: "expose"}, {Number: 161, Protocol: "UDP", Field: "expose"},
		{Number: 23, Field: "pod", WholePod: true},
	}
	for _, c := range []struct {
		name, match string
		sees        policy.Facts
		want        []string
	}{
		{"one", `{any: ["port: 21"]}`, policy.FactPorts, []string{"expose: port 21/tcp offered"}},
		{"unquoted", "{any: [{port: 21}]}", policy.FactPorts, []string{"expose: port 21/tcp offered"}},
		{"range", `{any: ["port: 20-23"]}`, policy.FactPorts, []string{"expose: port 21/tcp offered", "pod: port 23/tcp offered by the pod"}},
		{"udp", `{any: ["port: 161/udp"]}`, policy.FactPorts, []string{"expose: port 161/udp offered"}},
		{"tcp_is_meant", `{any: ["port: 161"]}`, policy.FactPorts, nil},
		{"udp_range", `{any: ["port: 1-65535/udp"]}`, policy.FactPorts, []string{"expose: port 161/udp offered"}},
		{"overlapping_entries_one_finding", `{any: ["port: 21", "port: 20-22"]}`, policy.FactPorts, []string{"expose: port 21/tcp offered"}},
		{"all", `{all: ["port: 21", "port: 161/udp"]}`, policy.FactPorts, []string{"expose: port 21/tcp offered", "expose: port 161/udp offered"}},
		{"all_missing_one", `{all: ["port: 21", "port: 22"]}`, policy.FactPorts, nil},
		{"not_seen", `{any: ["port: 21"]}`, 0, nil},
		{"environment", `{any: ["port: 2121"]}`, policy.FactArgs | policy.FactEnv, []string{"process.args[1]: port 2121/tcp offered"}},
		{"said_twice_found_once", `{any: ["port: 21"]}`, policy.FactPorts | policy.FactArgs | policy.FactEnv, []string{"expose: port 21/tcp offered"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := compile(t, dialect("network", c.match, "warn")).Documents[0]
			s := &policy.Subject{Ports: ports, Sees: c.sees, Spec: &specs.Spec{Process: &specs.Process{Args: []string{"vsftpd", "-olisten_port=2121"}}}}
			if diff := cmp.Diff(c.want, told(check(&d, s))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestSecretsScanner(t *testing.T) {
	spec := &specs.Spec{
		Process: &specs.Process{Env: []string{"PATH=/bin", "DB_PASSWORD=Xk29vQ7pLm4tRz81"}},
		Mounts: []specs.Mount{
			{Source: "/var/lib/kubelet/pods/u/volumes/kubernetes.io~secret/db", Destination: "/etc/db"},
			{Source: "/srv", Destination: "/srv"},
		},
	}
	const inEnv, mounted = "process.env[1]: secret in environment variable DB_PASSWORD", "mounts[0].source: Kubernetes secret mounted at /etc/db"
	for _, c := range []struct {
		name, match string
		sees        policy.Facts
		want        []string
	}{
		{"env", `{any: ["secrets.provider: env"]}`, policy.FactSpec, []string{inEnv}},
		{"kubernetes", `{any: [{secrets.provider: kubernetes}]}`, policy.FactSpec, []string{mounted}},
		{"any_of_both", `{any: ["secrets.provider: kubernetes", "secrets.provider: env"]}`, policy.FactSpec, []string{mounted, inEnv}},
		{"any_where_one_is_seen", `{any: ["secrets.provider: kubernetes", "secrets.provider: env"]}`, policy.FactMounts, []string{mounted}},
		{"all", `{all: ["secrets.provider: kubernetes", "secrets.provider: env"]}`, policy.FactSpec, []string{inEnv, mounted}},
		{"all_not_seen", `{all: ["secrets.provider: kubernetes", "secrets.provider: env"]}`, policy.FactEnv, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := compile(t, dialect("secrets", c.match, "audit")).Documents[0]
			if diff := cmp.Diff(c.want, told(check(&d, &policy.Subject{Spec: spec, Sees: c.sees}))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	t.Run("all_with_one_absent", func(t *testing.T) {
		d := compile(t, dialect("secrets", `{all: ["secrets.provider: kubernetes", "secrets.provider: env"]}`, "audit")).Documents[0]
		s := &policy.Subject{Spec: &specs.Spec{Process: spec.Process}, Sees: policy.FactSpec}
		if got := check(&d, s); len(got) != 0 {
			t.Errorf("got %d findings, want none", len(got))
		}
	})
}

func TestDialectProblems(t *testing.T) {
	for _, c := range []struct{ name, text, message, suggestion string }{
		{"scanner", dialect("flie", `{any: ["name: a"]}`, "block"), "scanner must be file, network or secrets", "file"},
		{"key", dialect("file", `{any: ["nmae: a"]}`, "block"), "scanner file has no key", "name"},
		{"key_of_another", dialect("file", `{any: ["port: 23"]}`, "block"), "belongs to scanner network", ""},
		{"provider", dialect("secrets", `{any: ["provider: env"]}`, "block"), "unknown key", "secrets.provider"},
		{"provider_value", dialect("secrets", `{any: ["secrets.provider: kubernets"]}`, "block"), "env or kubernetes", "kubernetes"},
		{"match_key", dialect("file", `{andy: ["name: a"]}`, "block"), "unknown key", "any"},
		{"both", dialect("file", `{any: ["name: a"], all: ["name: b"]}`, "block"), "any and all", ""},
		{"empty", dialect("file", `{any: []}`, "block"), "at least one entry", ""},
		{"no_key", dialect("network", `{any: [23]}`, "block"), "must be \"key: value\"", ""},
		{"two_keys", dialect("network", `{any: [{port: 23, name: x}]}`, "block"), "holds 2 keys", ""},
		{"relative", dialect("file", `{any: ["path: data/phi/"]}`, "block"), "must be absolute", ""},
		{"parent", dialect("file", `{any: ["path: /data/../phi/"]}`, "block"), "must not hold ..", ""},
		{"glob_in_path", dialect("file", `{any: ["path: /data/*/"]}`, "block"), "is no glob", ""},
		{"slash_in_name", dialect("file", `{any: ["name: /data/*.csv"]}`, "block"), "use path:", ""},
		{"bad_glob", dialect("file", `{any: ["name: '[a'"]}`, "block"), "not a valid glob", ""},
		{"empty_name", dialect("file", `{any: ["name:"]}`, "block"), "empty glob", ""},
		{"port_zero", dialect("network", `{any: ["port: 0"]}`, "block"), "from 1 to 65535", ""},
		{"port_large", dialect("network", `{any: ["port: 65536"]}`, "block"), "from 1 to 65535", ""},
		{"port_turned", dialect("network", `{any: ["port: 23-20"]}`, "block"), "from 1 to 65535", ""},
		{"port_list", dialect("network", `{any: ["port: 21,23"]}`, "block"), "entry of its own", ""},
		{"port_protocol", dialect("network", `{any: ["port: 21/tpc"]}`, "block"), "tcp, udp or sctp", "tcp"},
		{"action", dialect("file", `{any: ["name: a"]}`, "deny"), "block, warn or audit", ""},
		{"unquoted_glob", "apiVersion: xray.aqua.security/v1\nkind: Policy\nmetadata: {name: d}\nspec:\n  rules:\n  - name: r\n    scanner: file\n    action: block\n    match:\n      any:\n      - name: *.csv\n", "put the entry in quotes", ""},
		{"no_action", "apiVersion: xray.aqua.security/v1\nkind: Policy\nmetadata: {name: d}\nspec:\n  rules:\n  - name: r\n    scanner: file\n    match: {any: [name: a]}\n", "action is missing", ""},
		{"no_rules", "apiVersion: xray.aqua.security/v1\nkind: Policy\nmetadata: {name: d}\nspec: {rules: []}\n", "needs a rule", ""},
		{"no_match", "apiVersion: xray.aqua.security/v1\nkind: Policy\nmetadata: {name: d}\nspec: {rules: [{name: r, scanner: file, action: warn}]}\n", "match is missing", ""},
		{"own_keys", "apiVersion: xray.aqua.security/v1\nkind: Policy\nmetadata: {name: d}\nspec: {mode: audit}\n", "unknown key `mode`", ""},
		{"catalogue_id", strings.Replace(dialect("file", `{any: ["name: a"]}`, "warn"), "name: r\n", "name: privileged\n", 1), "a rule of the catalogue", ""},
		{"catalogue_row", strings.Replace(dialect("file", `{any: ["name: a"]}`, "warn"), "name: r\n", "name: OCI-001\n", 1), "a rule of the catalogue", ""},
		{"twice", dialect("file", `{any: ["name: a"]}`, "warn") + "---\n" + strings.Replace(dialect("file", `{any: ["name: a"]}`, "warn"), "name: d", "name: e", 1), "stands twice, first in p.yaml:6", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, problems := Compile([]File{{Name: "p.yaml", Data: []byte(c.text)}}, catalogue())
			if p != nil || len(problems) != 1 {
				t.Fatalf("got %d problems, want 1:\n%v", len(problems), problems)
			}
			if got := problems[0]; got.Line == 0 || !strings.Contains(got.Message, c.message) || got.Suggestion != c.suggestion {
				t.Errorf("got %q, want %q (%q)", got.Error(), c.message, c.suggestion)
			}
		})
	}
}

func TestDialectWarnings(t *testing.T) {
	for _, c := range []struct {
		name, match, action string
		want                int
	}{
		{"csv_and_sql", `{any: ["name: *.csv", "name: *.sql", "path: /data/phi/"]}`, "block", 2},
		{"narrow_name", `{any: ["name: patients*.csv"]}`, "block", 0},
		{"with_path", `{all: ["name: *.csv", "path: /data/"]}`, "block", 0},
		{"root", `{any: ["path: /"]}`, "warn", 1},
		{"audit_refuses_nothing", `{any: ["name: *.csv"]}`, "audit", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, problems := Compile([]File{{Name: "p.yaml", Data: []byte(dialect("file", c.match, c.action))}}, catalogue())
			if p == nil || len(problems) != c.want || len(problems.Errors()) != 0 {
				t.Errorf("got %v, want %d warnings", problems, c.want)
			}
		})
	}
}

// TestWorkedExample: an image with a file below /data/phi/ that offers port 21
// shows both violations, the block and the warning, in one answer.
func TestWorkedExample(t *testing.T) {
	data, err := os.ReadFile("../../deploy/policies/example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	p := compile(t, string(data))
	d := &p.Documents[0]
	s := &policy.Subject{
		Name: "portal", Pod: policy.Pod{Namespace: "clinic-a"}, Spec: &specs.Spec{Process: &specs.Process{}},
		Ports: []policy.Port{{Number: 21, Protocol: "tcp", Field: "image.config.ExposedPorts"}}, Sees: policy.FactSpec | policy.FactPorts,
	}
	report := policy.Report{Findings: check(d, s)}
	for _, r := range d.FileRules {
		if r.Match("/data/phi/patients.csv") {
			report.Findings = append(report.Findings, policy.Finding{Rule: r.ID, Message: r.Message, Where: policy.Where{Path: "/data/phi/patients.csv"}})
		}
	}
	v := policy.Decide(p, s, report)
	var got []string
	for _, f := range v.Findings {
		got = append(got, f.Rule+" "+f.Action.String()+" "+f.Info.Cites[0].Paragraph()+" "+f.Info.Severity.String())
	}
	want := []string{"no-patient-files block 164.312(a)(1) high", "plaintext-ports warn 164.312(e)(1) medium"}
	if v.Action != policy.Block || !slices.Equal(got, want) {
		t.Errorf("verdict %s\n got %v\nwant %v", v.Action, got, want)
	}
	line := (&policy.Decision{Target: s.Display(), Findings: policy.NewDecision(s, v, report.Now, 0).Findings}).Line()
	wantLine := "phigate: blocked clinic-a/portal: forbidden file in image file /data/phi/patients.csv [no-patient-files, 45 CFR 164.312(a)(1)]; " +
		"warned: port 21/tcp offered in image.config.ExposedPorts [plaintext-ports, 45 CFR 164.312(e)(1)]"
	if line != wantLine {
		t.Errorf("\n got %s\nwant %s", line, wantLine)
	}
}

// The fast ways of matchName agree with the glob library.
func TestMatchName(t *testing.T) {
	globs := []string{"*.csv", "*", "a.csv", "*.c*v", "a?csv", "[ab].csv", "*.{csv,sql}", `*\.csv`, "**.csv", "*é", ""}
	names := []string{"a.csv", "b.csv", ".csv", "csv", "a.CSV", "a.csv.gz", "a.sql", "é", "b\xff.csv", "*.csv", `\.csv`}
	for _, glob := range globs {
		for _, name := range names {
			want, err := doublestar.Match(glob, name)
			if got := matchName(glob, "/x/"+name); got != (want && err == nil) {
				t.Errorf("glob %q, name %q: got %v, want %v", glob, name, got, want)
			}
		}
	}
}

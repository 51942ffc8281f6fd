package journal_test

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/phigate/phigate/plugin/journal"
	"github.com/phigate/phigate/plugin/report"
	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/test/journald"
)

func blocked() *policy.Decision {
	return &policy.Decision{
		Seq: 7, Kind: "verdict", Gate: policy.GateValidate, Target: "clinic/app", Container: "c1", Namespace: "clinic",
		Pod: "app-0", PodUID: "u1", Image: "registry.example/app:1", ImageDigest: "sha256:aa", Policy: "sha256:bb",
		PolicyVersion: "clinic 3", ImageConfig: "sha256:cc", Runtime: "cri", RuntimeNamespace: "k8s.io",
		Requester: policy.Requester{Name: "jane@clinic.example", From: policy.FromAnnotation},
		Origin:    policy.Origin{Node: "node-1", Machine: "0a", Boot: "0b", BootTimeUs: 5, Clock: policy.ClockSynchronised, Version: "1.2", Digest: "sha256:dd", KeyID: "0c"},
		Verdict:   policy.Block, Mode: policy.Enforce, DurationUs: 412,
		Coverage: policy.Coverage{Files: 3, Bytes: 9, Rules: 13},
		Findings: []policy.Record{
			{Rule: "phi-table", Severity: policy.Critical, Action: policy.Block, Path: "/p.csv", Message: "patient table",
				Citations: []string{"45 CFR 164.312(a)(1)", "45 CFR 164.502(b)"}},
			{Rule: "phi-table", Severity: policy.Critical, Action: policy.Block, Path: "/q.csv", Message: "patient table",
				Citations: []string{"45 CFR 164.312(a)(1)"}},
			{Rule: "listener", Severity: policy.High, Action: policy.Warn, Field: "args", Message: "FTP port",
				Citations: []string{"45 CFR 164.312(e)(1)"}},
		},
		Skipped: []policy.SkipEntry{{Where: "/z.zip", Rule: "files", Reason: "encrypted archive", Action: policy.Warn}},
	}
}

func TestFieldsOfAVerdictInTheJournal(t *testing.T) {
	j := journald.Start(t)
	d := blocked()
	d.Target = "clinic/app\nPHIGATE_ACTION=allow"
	if err := newClient(t, j.Socket).Send(journal.Fields(report.Entry{LogID: "log", Seq: d.Seq, Leaf: "0f", Decision: d})); err != nil {
		t.Fatal(err)
	}
	entry := j.Await(t, 1, "SYSLOG_IDENTIFIER=phigate")[0]
	got := map[string][]string{}
	for name, value := range entry {
		if strings.HasPrefix(name, "PHIGATE_") || name == "PRIORITY" {
			got[name] = list(value)
		}
	}
	want := map[string][]string{
		"PRIORITY": {"4"}, "PHIGATE_SEQ": {"7"}, "PHIGATE_LOG": {"log"}, "PHIGATE_LEAF": {"0f"}, "PHIGATE_KIND": {"verdict"}, "PHIGATE_GATE": {"validate"},
		"PHIGATE_CONTAINER_ID": {"c1"}, "PHIGATE_POD": {"app-0"}, "PHIGATE_POD_UID": {"u1"}, "PHIGATE_NAMESPACE": {"clinic"},
		"PHIGATE_IMAGE": {"registry.example/app:1"}, "PHIGATE_IMAGE_DIGEST": {"sha256:aa"}, "PHIGATE_POLICY_DIGEST": {"sha256:bb"},
		"PHIGATE_POLICY_VERSION": {"clinic 3"}, "PHIGATE_IMAGE_CONFIG": {"sha256:cc"}, "PHIGATE_RUNTIME": {"cri"}, "PHIGATE_RUNTIME_NAMESPACE": {"k8s.io"},
		"PHIGATE_REQUESTER": {"jane@clinic.example"}, "PHIGATE_REQUESTER_FROM": {"annotation"}, "PHIGATE_NODE": {"node-1"}, "PHIGATE_MACHINE_ID": {"0a"},
		"PHIGATE_BOOT_ID": {"0b"}, "PHIGATE_CLOCK": {"synchronised"}, "PHIGATE_VERSION": {"1.2"}, "PHIGATE_PROGRAM_DIGEST": {"sha256:dd"},
		"PHIGATE_ACTION": {"block"}, "PHIGATE_MODE": {"enforce"}, "PHIGATE_SEVERITY": {"critical"},
		"PHIGATE_TAG":      {"hipaa_164.312.a.1", "hipaa_164.312.e.1"},
		"PHIGATE_RULE":     {"phi-table", "listener"},
		"PHIGATE_CITATION": {"45 CFR 164.312(a)(1)", "45 CFR 164.502(b)", "45 CFR 164.312(e)(1)"},
		"PHIGATE_COVERAGE": {"files=3 bytes=9 rules=13 skipped=1 deferred=0"}, "PHIGATE_DURATION_US": {"412"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestFieldsStayWithinJournaldsLimit(t *testing.T) {
	d := blocked()
	for i := range policy.MaxRecorded {
		d.Findings = append(d.Findings, policy.Record{Rule: fmt.Sprint("rule-", i), Citations: []string{fmt.Sprint("45 CFR ", i)}})
	}
	if n := len(journal.Fields(report.Entry{LogID: "log", Seq: d.Seq, Leaf: "0f", Decision: d})); n > 1000 {
		t.Errorf("%d fields, journald drops entries of more than 1,024", n)
	}
}

func TestOnlyVerdictsHaveAnAction(t *testing.T) {
	for _, c := range journal.Classes() {
		for _, f := range journal.Fields(report.Entry{Decision: &policy.Decision{Kind: c.Name, Message: "x"}}) {
			if f.Name == "PHIGATE_ACTION" {
				t.Errorf("a record of kind %s says an action", c.Name)
			}
		}
	}
}

// The catalogue that journalctl -x prints explains every kind of entry.
func TestCatalogueIsComplete(t *testing.T) {
	data, err := os.ReadFile("../../deploy/journald/phigate.catalog")
	if err != nil {
		t.Fatal(err)
	}
	var got, want []string
	for _, m := range regexp.MustCompile(`(?m)^-- ([0-9a-f]{32})$`).FindAllStringSubmatch(string(data), -1) {
		got = append(got, m[1])
	}
	for _, c := range journal.Classes() {
		want = append(want, c.ID)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestWazuhTag(t *testing.T) {
	for citation, want := range map[string]string{
		"45 CFR 164.312(a)(1)":           "hipaa_164.312.a.1",
		"45 CFR 164.312(a)(2)(iv)":       "hipaa_164.312.a.2.IV",
		"45 CFR 164.312(b)":              "hipaa_164.312.b",
		"45 CFR 164.308(a)(1)(ii)(A)":    "",
		"45 CFR 164.312":                 "",
		"somebody's own (not a section)": "",
	} {
		got := ""
		for _, f := range journal.Fields(report.Entry{Decision: &policy.Decision{Kind: "verdict", Findings: []policy.Record{{Citations: []string{citation}}}}}) {
			if f.Name == "PHIGATE_TAG" {
				got = f.Value
			}
		}
		if got != want {
			t.Errorf("%s: got %q, want %q", citation, got, want)
		}
	}
}

package journal_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/phigate/phigate/plugin/journal"
	"github.com/phigate/phigate/plugin/report"
	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/test/journald"
)

func shipped(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("../../deploy/journald", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// The keys of systemd 252's journald.conf(5), journal-upload.conf(5) and of units
// that the examples may use.
var settings = map[string][]string{
	"journald@phigate.conf": {"Storage", "Seal", "RateLimitIntervalSec", "SyncIntervalSec", "SystemMaxUse", "SystemKeepFree", "MaxRetentionSec", "MaxFileSec", "Compress"},
	"journal-upload.conf":   {"URL", "ServerKeyFile", "ServerCertificateFile", "TrustedCertificateFile"},
	"phigated-journal.conf": {"Wants", "After", "LogRateLimitIntervalSec"},
}

func TestExamplesForSystemdUseKnownKeys(t *testing.T) {
	for name, keys := range settings {
		for line := range strings.Lines(shipped(t, name)) {
			line = strings.TrimSpace(line)
			if line == "" || line[0] == '#' || line[0] == '[' {
				continue
			}
			if key, _, ok := strings.Cut(line, "="); !ok || !slices.Contains(keys, key) {
				t.Errorf("%s: %q is no setting", name, line)
			}
		}
	}
}

// A real journald runs with the namespace's settings.
func TestNamespaceSettingsWork(t *testing.T) {
	j := journald.New(t)
	_, section, _ := strings.Cut(shipped(t, "journald@phigate.conf"), "[Journal]\n")
	j.Settings = section
	j.Run(t)
	d := blocked()
	if err := newClient(t, j.Socket).Send(journal.Fields(report.Entry{LogID: "log", Seq: d.Seq, Leaf: "0f", Decision: d})); err != nil {
		t.Fatal(err)
	}
	j.Await(t, 1, "PHIGATE_SEQ=7")
}

// The examples for shippers are YAML, and name fields that entries have.
func TestExamplesForShippersNameOurFields(t *testing.T) {
	d := blocked()
	d.Exceptions = []policy.ExceptionUse{{ID: "EX-1"}}
	has := map[string]bool{}
	for _, f := range journal.Fields(report.Entry{LogID: "log", Seq: 7, Leaf: "0f", Decision: d}) {
		has[f.Name] = true
	}
	for _, name := range []string{"fluent-bit.yaml", "vector.yaml"} {
		text := shipped(t, name)
		var parsed map[string]any
		if err := yaml.Unmarshal([]byte(text), &parsed); err != nil || len(parsed) < 2 {
			t.Errorf("%s: %v, %d keys", name, err, len(parsed))
		}
		fields := regexp.MustCompile(`PHIGATE_[A-Z_]*[A-Z]`).FindAllString(regexp.MustCompile(`\$\{[A-Z_]+\}`).ReplaceAllString(text, ""), -1)
		if len(fields) == 0 {
			t.Errorf("%s names no field", name)
		}
		for _, field := range fields {
			if !has[field] {
				t.Errorf("%s: entries have no %s", name, field)
			}
		}
	}
}

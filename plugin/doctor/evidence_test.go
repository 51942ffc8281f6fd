package doctor

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/phigate/phigate/plugin/ask"
	"github.com/phigate/phigate/plugin/install"
)

// attested is a log whose keys, checkpoints and segments are elsewhere too.
func attested(now time.Time) ask.LogStatus {
	return ask.LogStatus{ID: "phigate.dev/log/1", Seq: 90, Checkpoint: 90, Enrolled: true, Outlets: []ask.OutletStatus{
		{Name: "witness https://w.example", Size: 90, Time: now.Add(-time.Second)}, {Name: "journal", Size: 90, Time: now},
	}}
}

func TestEvidence(t *testing.T) {
	const w = "checkpoints: witness https://w.example"
	for name, test := range map[string]struct {
		change func(f *Facts)
		check  string
		state  State
		says   string // part of what it says and of the next step
	}{
		"enrolled":         {func(f *Facts) {}, "log keys", OK, "with the auditor"},
		"not_enrolled":     {func(f *Facts) { f.Status.Log.Enrolled = false }, "log keys", Advice, "phigate audit enrol"},
		"witnessed":        {func(f *Facts) {}, w, OK, "1s old"},
		"alarm":            {func(f *Facts) { o(f).Alarm, o(f).Error = true, "another history" }, w, Problem, "before anything else"},
		"unreachable":      {func(f *Facts) { o(f).Error = "connection refused" }, w, Problem, "1s old: connection refused"},
		"never":            {func(f *Facts) { o(f).Time, o(f).Error = time.Time{}, "no such host" }, w, Problem, "none since phigated started"},
		"stale":            {func(f *Facts) { o(f).Time, o(f).Size = f.Now.Add(-time.Hour), 3 }, w, Problem, "1h0m0s old, and the log has gone on"},
		"quiet":            {func(f *Facts) { o(f).Time = f.Now.Add(-time.Hour) }, w, OK, "1h0m0s old"},
		"not_yet":          {func(f *Facts) { o(f).Time = time.Time{} }, w, Unknown, "none since"},
		"nobody_sees_it":   {func(f *Facts) { f.Status.Log.Outlets = f.Status.Log.Outlets[1:] }, "checkpoints", Advice, "audit.witnesses"},
		"journal_outlet":   {func(f *Facts) { f.Status.Log.Outlets[1].Error = "ENOENT" }, "checkpoints: journal", Problem, "ENOENT"},
		"archived":         {func(f *Facts) { f.Config.Audit.Archive = "/mnt/a" }, "log archive", OK, "leave the node"},
		"not_archived":     {func(f *Facts) {}, "log archive", Advice, "six years"},
		"archive_fails":    {func(f *Facts) { f.Status.Log.Archive = "read-only file system" }, "log archive", Problem, "read-only"},
		"exported":         {func(f *Facts) {}, "journal export", OK, "all up to 89 of 90"},
		"nothing_exported": {func(f *Facts) { f.Status.Journal = nil }, "journal export", OK, "nothing is sent"},
		"behind":           {func(f *Facts) { f.Status.Journal.Since = f.Now.Add(-time.Hour) }, "journal export", Problem, "for 1h0m0s no more"},
		"blind":            {func(f *Facts) { f.Status.Journal.Error = "exit status 1" }, "journal export", Problem, "phigate audit reconcile"},
		"no_journalctl":    {func(f *Facts) { f.Status.Journal.Error = `exec: "journalctl": executable file not found in $PATH` }, "journal export", Problem, "in phigated's PATH"},
		"own_socket":       {func(f *Facts) { f.Status.Journal.ReadBack = false }, "journal export", Advice, "does not read"},
	} {
		t.Run(name, func(t *testing.T) {
			_, f := healthy(t)
			f.Status.Log = attested(f.Now)
			f.Status.Journal = &ask.JournalStatus{Sent: 90, Confirmed: 89, Since: f.Now.Add(-time.Second), ReadBack: true}
			test.change(f)
			for _, c := range evidence(f) {
				if c.Name != test.check {
					continue
				}
				if c.State != test.state || !strings.Contains(c.Says+" -> "+c.Next, test.says) {
					t.Errorf("got %s: %s -> %s; want %s with %q", c.State, c.Says, c.Next, test.state, test.says)
				}
				if c.State != OK && c.State != Unknown && c.Next == "" {
					t.Error("no next step")
				}
				return
			}
			t.Errorf("%s is not checked", test.check)
		})
	}
}

func o(f *Facts) *ask.OutletStatus { return &f.Status.Log.Outlets[0] }

// A unit without a network cannot reach a witness, whatever else is wrong.
func TestWitnessBehindAPrivateNetwork(t *testing.T) {
	top, f := healthy(t)
	f.Status.Log = attested(f.Now)
	o(f).Error = "network is unreachable"
	must(t, os.WriteFile(filepath.Join(top, install.UnitFile), []byte("[Service]\nPrivateNetwork=yes\n"), 0o644))
	if c := outlets(f)[0]; c.State != Problem || !strings.Contains(c.Next, "PrivateNetwork=no") {
		t.Errorf("got %s: %s -> %s", c.State, c.Says, c.Next)
	}
}

// A key of the log that others may read is found.
func TestLogKeysModes(t *testing.T) {
	top, f := healthy(t)
	folder := filepath.Join(top, f.Config.Log())
	must(t, os.MkdirAll(folder, 0o700))
	must(t, os.WriteFile(filepath.Join(folder, "signer.key"), []byte("x"), 0o644))
	for _, c := range permissions(f) {
		if c.State == Problem && strings.Contains(c.Says, "signer.key is open to others than root (mode 0644)") {
			return
		}
	}
	t.Error("signer.key with mode 0644 is not found")
}

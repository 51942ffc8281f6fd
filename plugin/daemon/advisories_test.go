package daemon

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/phigate/phigate/policy/osv"
)

const advisoryText = `{"id":"GO-1","modified":"2026-03-01T00:00:00Z","affected":[{"package":{"ecosystem":"Go","name":"a"},"ranges":[{"type":"SEMVER","events":[{"introduced":"0"}]}]}]}`

// TestAdvisories: files that become unreadable leave in force what was read, and
// say so; a change is seen by its stamp.
func TestAdvisories(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.json")
	var database *osv.Database
	var trouble string
	changed := 0
	a := &advisories{paths: []string{path}, log: slog.New(slog.DiscardHandler), changed: func() { changed++ },
		set: func(d *osv.Database, why string) { database, trouble = d, why }}
	a.begin()
	if database != nil || trouble == "" {
		t.Error("before anything was read, nothing is said")
	}
	a.load(t.Context())
	if database != nil || !strings.Contains(trouble, "does not exist") {
		t.Errorf("without the file: trouble %q", trouble)
	}
	for _, c := range []struct{ text, trouble string }{
		{advisoryText, ""}, {"{", "the JSON is wrong"}, {strings.Replace(advisoryText, "GO-1", "GO-2", 1), ""},
	} {
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		a.load(t.Context())
		if database == nil || (trouble == "") != (c.trouble == "") || !strings.Contains(trouble, c.trouble) {
			t.Errorf("database %v, trouble %q, want %q", database != nil, trouble, c.trouble)
		}
	}
	if got := database.Match(osv.Go, "", "a", "1"); len(got) != 1 || got[0].ID != "GO-2" || changed != 4 {
		t.Errorf("the newest file is not in force, or its change was not told (%d times)", changed)
	}
	none := &advisories{set: func(*osv.Database, string) { t.Error("without files something is compared") }}
	none.begin()
	none.watch(t.Context())
}

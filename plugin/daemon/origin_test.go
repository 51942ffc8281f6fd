package daemon

import (
	"crypto/sha256"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/phigate/phigate/plugin/origin"
	"github.com/phigate/phigate/policy"
)

// Every record in the log says where it comes from, those that the log writes of
// its own accord included.
func TestRecordsNameTheirOrigin(t *testing.T) {
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	r, err := openRecorder(filepath.Join(t.TempDir(), "decisions"), origin.Read("1.2.3", "k1", log), log)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for range 2 {
		if _, err := r.Record(t.Context(), &policy.Decision{Kind: "start", Findings: []policy.Record{}, Skipped: []policy.SkipEntry{}}); err != nil {
			t.Fatal(err)
		}
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	host, _ := os.Hostname()
	last := int64(0)
	err = r.Read(t.Context(), 1, func(d *policy.Decision) error {
		o := d.Origin
		if o.Node != host || len(o.Machine) != 32 || len(o.Boot) != 32 || o.Version != "1.2.3" || o.KeyID != "k1" ||
			o.Digest != fmt.Sprintf("sha256:%x", sha256.Sum256(data)) || o.Clock == "" || o.BootTimeUs <= last {
			t.Errorf("record %d comes from %+v", d.Seq, o)
		}
		last = o.BootTimeUs
		return nil
	})
	if err != nil || last == 0 {
		t.Errorf("no record was read (error %v)", err)
	}
}

package daemon

import (
	"crypto/sha256"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/phigate/phigate/policy"
)

// The machine's ID in records is the one that systemd's own tool prints.
func TestMachineIDIsSystemds(t *testing.T) {
	want, err := exec.Command("systemd-id128", "machine-id", "--app-specific="+applicationID).Output()
	if err != nil {
		t.Fatalf("%v: apt-get install systemd", err)
	}
	got, err := machineID(machineIDFile, applicationID)
	if err != nil || got != strings.TrimSpace(string(want)) {
		t.Errorf("got %s, %v; want %s", got, err, want)
	}
	raw, err := id128(machineIDFile)
	if err != nil || strings.Contains(got, raw) {
		t.Errorf("the machine's own ID is in %s (error %v)", got, err)
	}
}

func TestMachineIDThatIsNone(t *testing.T) {
	for name, text := range map[string]string{"empty": "", "first_boot": "uninitialized\n", "short": "0123\n"} {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if id, err := machineID(path, applicationID); err == nil || id != "" {
			t.Errorf("%s: got %q, want an error", name, id)
		}
	}
}

func TestClockOf(t *testing.T) {
	for maxerror, want := range map[int64]policy.Clock{0: policy.ClockSynchronised, 15_999_999: policy.ClockSynchronised, 16_000_000: policy.ClockUnsynchronised} {
		if got := clockOf(&unix.Timex{Maxerror: maxerror}); got != want {
			t.Errorf("an error of %d us: %s, want %s", maxerror, got, want)
		}
	}
}

// Every record in the log says where it comes from, those that the log writes of
// its own accord included.
func TestRecordsNameTheirOrigin(t *testing.T) {
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	origin := readOrigin("1.2.3", "k1", log)
	r, err := openRecorder(filepath.Join(t.TempDir(), "decisions"), origin, log)
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

func BenchmarkStamp(b *testing.B) {
	r := &recorder{}
	d := &policy.Decision{}
	for b.Loop() {
		r.stamp(d)
	}
}

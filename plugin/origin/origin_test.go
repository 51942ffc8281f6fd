package origin

import (
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

func BenchmarkStamp(b *testing.B) {
	p := &Process{}
	d := &policy.Decision{}
	for b.Loop() {
		p.Stamp(d)
	}
}

package faults

import (
	"bufio"
	"os"
	"os/exec"
	"testing"
	"time"
)

// The clock of one process is another, and ours is not; what lasts a second still does.
func TestSkew(t *testing.T) {
	if os.Getenv("PHIGATE_TEST_TELLS_TIME") != "" {
		tellTime()
	}
	cmd := exec.Command(os.Args[0], "-test.run", "^TestSkew$")
	cmd.Env = append(os.Environ(), "PHIGATE_TEST_TELLS_TIME=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	told := bufio.NewScanner(out)
	if !told.Scan() { // what it is told by is there when it speaks
		t.Fatal("the process says nothing")
	}
	off := func() time.Duration {
		t.Helper()
		var last time.Time
		for began := time.Now(); time.Since(began) < time.Second && told.Scan(); { // what was said before is read first
			if last, err = time.Parse(time.RFC3339Nano, told.Text()); err != nil {
				t.Fatal(err)
			}
		}
		return time.Until(last).Round(time.Minute)
	}
	for _, by := range []time.Duration{0, 2 * time.Hour, -30 * 24 * time.Hour, 0} {
		if err := Skew(cmd.Process.Pid, by); err != nil {
			t.Fatal(err)
		}
		if got := off(); got != by {
			t.Errorf("the process's clock is off by %s, want %s", got, by)
		}
	}
}

func tellTime() {
	for range 400 {
		_, _ = os.Stdout.WriteString(time.Now().UTC().Format(time.RFC3339Nano) + "\n")
		time.Sleep(50 * time.Millisecond)
	}
	os.Exit(0)
}

package journal_test

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/phigate/phigate/plugin/journal"
	"github.com/phigate/phigate/plugin/report"
	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/test/journald"
)

// seqs counts how often the journal has each record, on the disk and in memory.
func seqs(t *testing.T, j *journald.Journal) map[uint64]int {
	t.Helper()
	out := map[uint64]int{}
	read := append(j.ReadAll(), "--output=cat", "--output-fields=PHIGATE_SEQ", "--quiet", "SYSLOG_IDENTIFIER=phigate")
	data, err := exec.Command(read[0], read[1:]...).Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Fields(string(data)) {
		if seq, err := strconv.ParseUint(line, 10, 64); err == nil {
			out[seq]++
		}
	}
	return out
}

// awaitAll returns when the journal has all records up to last.
func awaitAll(t *testing.T, last int, patience time.Duration, j *journald.Journal) map[uint64]int {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(200 * time.Millisecond) {
		got := seqs(t, j)
		missing := 0
		for seq := 1; seq <= last; seq++ {
			if got[uint64(seq)] == 0 {
				missing++
			}
		}
		if missing == 0 {
			return got
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d of %d records are missing", missing, last)
		}
	}
}

// What a journald has accepted and not stored when it is killed is sent again.
func TestExportSendsAgainWhatAKilledJournaldLost(t *testing.T) {
	n := newNode(t, journald.Start(t))
	n.record(t, 20)
	n.expect(t, 20)
	n.Pause(t)
	n.record(t, 8) // lie in the socket's queue, for which sendto(2) answered success
	time.Sleep(300 * time.Millisecond)
	n.Kill(t)
	n.Run(t)
	awaitAll(t, 28, 15*time.Second, n.Journal)
	for range 100 {
		if data, _ := os.ReadFile(n.cursor); string(data) == "28\n" {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Error("the cursor was not moved behind what was sent again")
}

// limited is a rate limit and how many decisions are made against it.
type limited struct {
	interval time.Duration
	burst    int
	total    int
}

// limit is a thirtieth of journald's own, so that the test takes seconds;
// PHIGATE_JOURNALD_DEFAULTS=1 runs it with what journald has by default.
func limit() limited {
	if os.Getenv("PHIGATE_JOURNALD_DEFAULTS") != "" {
		return limited{30 * time.Second, 10000, 60000}
	}
	return limited{time.Second, 300, 2500}
}

// A unit's decisions beyond journald's rate limit, of which it tells no sender,
// are sent again until all are there.
func TestExportLosesNothingToTheRateLimit(t *testing.T) {
	l := limit()
	journald.InUnit(t)
	j := journald.New(t)
	j.Settings = fmt.Sprintf("RateLimitIntervalSec=%s\nRateLimitBurst=%d\nSystemMaxUse=1G\n", l.interval, l.burst)
	j.Run(t)
	dropped := flood(t, j, l.total)
	t.Logf("of %d entries sent at once without an exporter, journald kept %d", l.total, l.total-dropped)
	if dropped == 0 {
		t.Fatal("journald limits nothing here: it does not take this process for a unit, or the machine is too slow")
	}
	time.Sleep(l.interval)
	n := newNode(t, j)
	began := time.Now()
	n.recordAtOnce(t, l.total)
	got := awaitAll(t, l.total, time.Minute+8*l.interval, j)
	twice := 0
	for _, times := range got {
		twice += times - 1
	}
	t.Logf("all %d are there after %s, %d came twice", l.total, time.Since(began).Round(100*time.Millisecond), twice)
}

// flood sends entries that are none of phigate's, as fast as journald takes them,
// and returns how many it did not keep.
func flood(t *testing.T, j *journald.Journal, total int) int {
	t.Helper()
	c := newClient(t, j.Socket)
	for i := range total {
		for {
			err := c.Send([]journal.Field{{Name: "MESSAGE", Value: fmt.Sprint(i)}, {Name: "SYSLOG_IDENTIFIER", Value: "flood"}, {Name: "PRIORITY", Value: "6"}})
			if err == nil {
				break
			}
			time.Sleep(time.Millisecond)
		}
	}
	time.Sleep(500 * time.Millisecond)
	data, err := exec.Command("journalctl", "--directory", j.Logs, "--output=cat", "--quiet", "SYSLOG_IDENTIFIER=flood").Output()
	if err != nil {
		t.Fatal(err)
	}
	return total - strings.Count(string(data), "\n")
}

// On a full disk journald goes on in memory; nothing is lost to who reads both.
func TestExportOnAFullDisk(t *testing.T) {
	j := journald.New(t)
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=9m", "tmpfs", j.Logs).CombinedOutput(); err != nil {
		t.Fatalf("mounting a small disk: %v: %s", err, out)
	}
	t.Cleanup(func() { exec.Command("umount", "--lazy", j.Logs).Run() })
	j.Run(t)
	n := newNode(t, j)
	n.record(t, 20)
	awaitAll(t, 20, 10*time.Second, j)
	if err := os.WriteFile(j.Logs+"/ballast", make([]byte, 9<<20), 0o600); err == nil {
		t.Fatal("the disk is not full")
	}
	if slowest := n.record(t, 2000); slowest > hang {
		t.Errorf("a record took %v while the journal's disk was full", slowest)
	}
	awaitAll(t, 2020, 20*time.Second, j)
}

// An entry that somebody else put there under our name is none of ours: its leaf
// is another.
func TestForgedEntryIsNotTakenForStored(t *testing.T) {
	n := newNode(t, journald.Start(t))
	n.stop()
	d := &policy.Decision{Seq: 1, Kind: "verdict", Target: "forged"}
	if err := newClient(t, n.Socket).Send(journal.Fields(report.Entry{LogID: "x", Seq: 1, Leaf: "00", Decision: d})); err != nil {
		t.Fatal(err)
	}
	n.Await(t, 1, "SYSLOG_IDENTIFIER=phigate")
	n.record(t, 1)
	n.export(t)
	n.Await(t, 2, "SYSLOG_IDENTIFIER=phigate")
}

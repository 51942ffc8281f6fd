package audit

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/phigate/phigate/policy"
)

// An enrolled node has no first key any more, and the auditor's checks all macs,
// those from before as well.
func TestEnrol(t *testing.T) {
	for _, before := range []int{0, 5} {
		dir := filepath.Join(t.TempDir(), "log")
		if before > 0 {
			l := newLog(t, dir)
			record(t, l, before)
			l.Close()
		}
		var handed []byte
		e, err := Enrol(dir, func(text []byte) ([]byte, error) { handed = bytes.Clone(text); return []byte("wrapped"), nil },
			Options{Log: quiet(), Stamp: func(d *policy.Decision) { d.Origin.Node = "node-1" }})
		if err != nil {
			t.Fatal(err)
		}
		keys, err := ParseFirstKeys(handed)
		if err != nil || len(keys) != 2 || e.Epoch != uint64(before) {
			t.Fatalf("%d keys, %v, epoch %d; want the node's own and another from epoch %d", len(keys), err, e.Epoch, before)
		}
		enrolled := 0
		err = Entries(t.Context(), dir, 1, func(e Entry) error {
			if e.Decision.Kind == "log-enrolled" && e.Decision.Origin.Node == "node-1" {
				enrolled++
			}
			return nil
		})
		if err != nil || enrolled != 1 {
			t.Errorf("%d records of the enrolment say where it was (error %v)", enrolled, err)
		}
		l := newLog(t, dir)
		record(t, l, 3)
		l.Close()
		v, err := Verify(t.Context(), dir, VerifyOptions{Keys: keys})
		if err != nil || !v.OK() || v.Macs != uint64(before+4) {
			t.Errorf("verify: %+v, %v; want %d macs", v, err, before+4)
		}
		if v, err := Verify(t.Context(), dir, VerifyOptions{Keys: keys[:1]}); err != nil || v.OK() {
			t.Errorf("the node's former key makes the macs behind the enrolment: %+v, %v", v, err)
		}
		if _, err := os.Stat(filepath.Join(dir, ownKeyName)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the node still has its own first key: %v", err)
		}
		files, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			data, err := os.ReadFile(filepath.Join(dir, f.Name()))
			if err != nil {
				t.Fatal(err)
			}
			for _, k := range keys {
				text, err := k.Key.MarshalJSON()
				if err != nil || strings.Contains(string(data), string(text)) {
					t.Errorf("%s holds a first key (%v)", f.Name(), err)
				}
			}
		}
	}
}

func TestEnrolWhilePhigatedRuns(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	newLog(t, dir)
	_, err := Enrol(dir, func(text []byte) ([]byte, error) { return text, nil }, Options{Log: quiet()})
	if err == nil || !strings.Contains(err.Error(), "held by another process") {
		t.Errorf("Enrol = %v", err)
	}
}

package e2e

import (
	"bytes"
	"path/filepath"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/phigate/phigate/test/gate"
	"github.com/phigate/phigate/test/images"
	"github.com/phigate/phigate/test/node"
)

// TestUpgrade: what an older version's detectors found answers at once, marked as
// such, and is replaced in the background.
func TestUpgrade(t *testing.T) {
	r := newRig(t, required, gate.Options{})
	people := r.image("people", images.Files{"/srv/people.txt": images.Text(gate.Patients(5))})
	pod := r.pod(node.PodOptions{})
	scans := r.scans()
	r.must(r.gate.Stop())
	r.must(asOlder(filepath.Join(r.gate.StateDir, "facts.db")))
	r.must(r.gate.Start())
	r.must(r.gate.Connected(r.ctx))
	r.refuse(pod, sleeps(people), "phi-table")
	r.must(r.gate.Ready(r.ctx))
	out, err := r.gate.Output()
	r.must(err)
	r.contains(out, "older version's detectors")
	if n := r.scans(); n == scans {
		t.Error("no layer was scanned again after the upgrade")
	}
	r.refuse(pod, sleeps(people), "phi-table")
	if n := r.newest().Coverage.Stale; n != 0 {
		t.Errorf("%d layers are still stale", n)
	}
}

// asOlder makes the facts in the file those of version 0 of the detectors.
func asOlder(file string) error {
	db, err := bbolt.Open(file, 0o600, nil)
	if err != nil {
		return err
	}
	defer db.Close()
	return db.Update(func(tx *bbolt.Tx) error {
		name, _ := tx.Cursor().First()
		name = bytes.Clone(name)
		older, err := tx.CreateBucket(append([]byte("set:0"), name[bytes.LastIndexByte(name, '-'):]...))
		if err != nil {
			return err
		}
		if err := copyBucket(older, tx.Bucket(name)); err != nil {
			return err
		}
		return tx.DeleteBucket(name)
	})
}

func copyBucket(to, from *bbolt.Bucket) error {
	return from.ForEach(func(k, v []byte) error {
		if v != nil {
			return to.Put(k, v)
		}
		inner, err := to.CreateBucket(k)
		if err != nil {
			return err
		}
		return copyBucket(inner, from.Bucket(k))
	})
}

package audit

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"

	"github.com/phigate/phigate/policy"
)

// wrappedPrefix begins the names of first keys that are wrapped to the auditor.
const wrappedPrefix = "k0-"

// Enrolled is what enrolment made.
type Enrolled struct {
	Log      string `json:"log"`      // the log's ID
	Verifier string `json:"verifier"` // the key that checks its checkpoints
	Epoch    uint64 `json:"epoch"`    // from which on the auditor alone has the first key
	File     string `json:"file"`     // of the wrapped keys, in the log's folder
}

// Enrol gives the macs of the log in the folder dir, which may be new, to an
// auditor: a first key is made for the batches from now on, wrapped together with
// those that the node itself had before, and nothing of them stays on the node.
// wrap encrypts to the auditor; the record of it
// is stamped as the options say. The log must not be open: phigated is stopped.
func Enrol(dir string, wrap func([]byte) ([]byte, error), o Options) (*Enrolled, error) {
	l := makeLog(dir, o, time.Now, folder(dir))
	tell, err := l.recover()
	if err != nil {
		return nil, errors.Join(err, l.closeFiles())
	}
	e, err := l.enrol(wrap)
	if err != nil {
		return nil, errors.Join(err, l.closeFiles())
	}
	l.start()
	tell = append(tell, &policy.Decision{
		Kind: "log-enrolled", Target: "phigate", Message: fmt.Sprintf("from epoch %d on the first key of the macs is with the auditor alone", e.Epoch),
		Findings: []policy.Record{}, Skipped: []policy.SkipEntry{},
	})
	return e, errors.Join(l.tellAll(tell), l.Close())
}

// enrol makes the key of the next epoch anew. The wrapped keys are durable before
// the log uses it, and before those of the node are removed.
func (l *Log) enrol(wrap func([]byte) ([]byte, error)) (*Enrolled, error) {
	names, err := l.disk.names()
	if err != nil {
		return nil, fmt.Errorf("reading decision log's folder: %w", err)
	}
	var text bytes.Buffer
	var own []string
	for _, name := range names {
		if strings.HasPrefix(name, ownKeyName) {
			data, err := readWhole(l.disk, name, maxKeyFile)
			if err != nil {
				return nil, fmt.Errorf("reading the log's first key: %w", err)
			}
			text.Write(data)
			own = append(own, name)
		}
	}
	k := FirstKey{Log: l.origin, Epoch: l.epoch}
	if _, err := rand.Read(k.Key[:]); err != nil {
		return nil, fmt.Errorf("making the log's first key: %w", err)
	}
	if err := json.NewEncoder(&text).Encode(k); err != nil {
		return nil, err
	}
	wrapped, err := wrap(text.Bytes())
	clear(text.Bytes())
	if err != nil {
		return nil, fmt.Errorf("wrapping the log's first key: %w", err)
	}
	e := &Enrolled{Log: l.origin, Verifier: l.verifier, Epoch: l.epoch, File: fmt.Sprintf("%s%d.age", wrappedPrefix, l.epoch)}
	if err := writeWhole(l.disk, e.File, wrapped); err != nil {
		return nil, err
	}
	l.key = k.Key
	if err := errors.Join(l.writeHead(""), l.head.sync()); err != nil {
		return nil, err
	}
	for _, name := range own {
		if err := l.shred(name); err != nil {
			return nil, err
		}
	}
	return e, l.disk.sync()
}

// shred overwrites a key and removes it. On disks that write elsewhere the old
// bytes stay until they are used again.
func (l *Log) shred(name string) error {
	f, err := l.disk.open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("removing the node's own first key: %w", err)
	}
	size, err := f.Size()
	if err == nil {
		_, err = f.WriteAt(make([]byte, size), 0)
	}
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = l.disk.remove(name)
	}
	if err != nil {
		return fmt.Errorf("removing the node's own first key: %w", err)
	}
	return nil
}

// ParseFirstKeys reads the text that enrolment wraps, or that a log nobody was
// enrolled for keeps beside it: one key or several.
func ParseFirstKeys(data []byte) ([]FirstKey, error) {
	var out []FirstKey
	dec := json.NewDecoder(bytes.NewReader(data))
	for {
		var k FirstKey
		err := dec.Decode(&k)
		if errors.Is(err, io.EOF) && len(out) > 0 {
			return out, nil
		}
		if err != nil || k.Log == "" {
			return nil, errors.New("it is not a log's first key (what it holds is not shown)")
		}
		out = append(out, k)
	}
}

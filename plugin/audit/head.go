package audit

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"sync"
	"time"
)

const (
	headName   = "head"
	headFormat = "phigate-log-head/1"
)

// head is where the log ends, as far as it is known to be durable, and what is
// needed to go on. It follows the segments: after a crash it may be behind them,
// and never ahead.
type head struct {
	Format     string     `json:"format"`
	Generation uint64     `json:"generation"` // the newer of two heads has the higher
	Log        string     `json:"log"`
	Segment    uint64     `json:"segment"` // the last one's first number
	Seq        uint64     `json:"seq"`     // of the last durable record
	Size       int64      `json:"size"`    // of the last segment
	Time       time.Time  `json:"time"`    // of the last durable record
	Epoch      uint64     `json:"epoch"`   // of the next batch
	Key        Key        `json:"key"`     // of the next batch
	Edge       edgeHashes `json:"edge"`
	// Abandoned says why nothing more may be written to the last segment.
	Abandoned string `json:"abandoned,omitempty"`
}

func (h *head) tree() tree { return tree{h.Seq, slices.Clone(h.Edge)} }

// headFile is the file of two heads.
type headFile struct {
	file file

	mu         sync.Mutex
	latest     head
	generation uint64 // of latest
	place      int64  // 0 or 1: the one that is written; the other is durable
	unsynced   bool   // latest is newer than what is durable
	syncing    bool   // the place is being synced and must stay as it is
}

// openHead reads the newer head that is whole; nil when there is none. A missing
// file is made, durably.
func openHead(d disk) (*headFile, *head, error) {
	f, err := d.open(headName)
	if errors.Is(err, fs.ErrNotExist) {
		if err := writeWhole(d, headName, make([]byte, 2*blockSize)); err != nil {
			return nil, nil, err
		}
		f, err = d.open(headName)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("opening decision log's head: %w", err)
	}
	hf, newest := &headFile{file: f}, (*head)(nil)
	for place := range int64(2) {
		b := make([]byte, blockSize)
		if _, err := f.ReadAt(b, place*blockSize); err != nil && !errors.Is(err, io.EOF) {
			return nil, nil, errors.Join(fmt.Errorf("reading decision log's head: %w", err), f.Close())
		}
		var h head
		if err := readBlock(b, &h); err != nil || h.Format != headFormat {
			continue
		}
		if t := h.tree(); t.whole() && (newest == nil || h.Generation > newest.Generation) {
			newest, hf.generation, hf.place = &h, h.Generation, 1-place
		}
	}
	return hf, newest, nil
}

// write puts the head into the page cache, over the key that went before. It is
// durable only after sync.
func (f *headFile) write(h head) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.generation++
	h.Format, h.Generation = headFormat, f.generation
	f.latest, f.unsynced = h, true
	if f.syncing {
		return nil // sync writes it when it has ended
	}
	return f.put()
}

func (f *headFile) put() error {
	b, err := makeBlock(f.latest)
	if err != nil {
		return fmt.Errorf("writing decision log's head: %w", err)
	}
	defer clear(b)
	_, err = f.file.WriteAt(b, f.place*blockSize)
	return err
}

// sync makes what was written durable, and then overwrites the older key in the
// other place, which is the one that is written from now on.
func (f *headFile) sync() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.unsynced || f.syncing {
		return nil
	}
	f.syncing = true
	synced := f.generation
	f.mu.Unlock()
	err := f.file.Sync()
	f.mu.Lock()
	f.syncing = false
	if err != nil {
		return fmt.Errorf("syncing decision log's head: %w", err)
	}
	f.place, f.unsynced = 1-f.place, f.generation != synced
	return f.put()
}

// String keeps a key out of messages.
func (k Key) String() string { return "a key" }

// MarshalJSON writes the key in base64, as JSON has bytes.
func (k Key) MarshalJSON() ([]byte, error) { return json.Marshal(k[:]) }

// UnmarshalJSON reads what MarshalJSON wrote.
func (k *Key) UnmarshalJSON(data []byte) error {
	var b []byte
	if err := json.Unmarshal(data, &b); err != nil {
		return err
	}
	if len(b) != len(k) {
		return fmt.Errorf("a key has %d bytes, and this has %d", len(k), len(b))
	}
	copy(k[:], b)
	return nil
}

package arrival

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"sync"

	"github.com/phigate/phigate/policy"
)

// Memory is what is known against images by their digests. It outlives them: an
// image that was removed is pulled again.
type Memory struct {
	mu     sync.Mutex
	images []known // the one that was learned of last is last
	write  func(data []byte) error
}

// known are the findings in one image's files.
type known struct {
	Digest      string             `json:"digest"`
	Config      string             `json:"config"`
	Findings    []policy.Finding   `json:"findings"`
	Individuals policy.Individuals `json:"individuals"`
}

// Bounds of the memory: of images, and of what is kept of each.
const (
	maxImages   = 200
	maxFindings = 8
	maxBytes    = 4 << 20
)

// OpenMemory reads what was kept in the file. write replaces that durably. A file
// that cannot be read is forgotten, since nothing but a warning hangs on it; the error says so.
func OpenMemory(file string, write func(file string, data []byte) error) (*Memory, error) {
	m := &Memory{write: func(data []byte) error { return write(file, data) }}
	info, err := os.Stat(file)
	if errors.Is(err, fs.ErrNotExist) {
		return m, nil
	}
	var data []byte
	if err == nil && info.Size() > maxBytes {
		err = fmt.Errorf("it has %d bytes, more than %d", info.Size(), maxBytes)
	}
	if err == nil {
		data, err = os.ReadFile(file)
	}
	if err == nil && json.Unmarshal(data, &m.images) != nil {
		m.images, err = nil, errors.New("it is not what phigate writes")
	}
	if err != nil {
		return m, fmt.Errorf("reading what is known of images, %s: %w; it is learned anew", file, err)
	}
	return m, nil
}

func (m *Memory) get(digest string) (known, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if i := m.find(digest); i >= 0 {
		return m.images[i], true
	}
	return known{}, false
}

func (m *Memory) find(digest string) int {
	return slices.IndexFunc(m.images, func(k known) bool { return k.Digest == digest })
}

// put keeps what was found in an image, the first of many findings, or forgets it where nothing was.
func (m *Memory) put(digest, config string, r policy.Report) error {
	k := known{Digest: digest, Config: config, Individuals: r.Individuals}
	for _, f := range r.Findings[:min(len(r.Findings), maxFindings)] {
		f.Fingerprint = "" // the log has it
		k.Findings = append(k.Findings, f)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	i := m.find(digest)
	switch {
	case i >= 0 && slices.Equal(m.images[i].Findings, k.Findings), i < 0 && len(k.Findings) == 0:
		return nil
	case i >= 0:
		m.images = slices.Delete(m.images, i, i+1)
	}
	if len(k.Findings) > 0 {
		m.images = append(m.images, k)
	}
	m.images = slices.Delete(m.images, 0, max(0, len(m.images)-maxImages))
	data, err := json.Marshal(m.images)
	if err != nil {
		return err
	}
	return m.write(data)
}

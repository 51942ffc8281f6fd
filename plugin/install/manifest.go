package install

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
)

const (
	manifestFile = Backup + "/manifest.json"
	savedFolder  = Backup + "/files"
)

// manifest says what was at each path before the first install, and what the
// last one has put there.
type manifest struct {
	Version int     `json:"version"`
	Entries []saved `json:"entries"` // in the order in which they were made
	// Released is when containerd's configuration stopped to need phigate.
	Released *Moment  `json:"released,omitempty"`
	Restart  []string `json:"restart,omitempty"` // who must have been started anew since
}

// Moment is a point in the machine's time that no clock can move: seconds since
// a boot.
type Moment struct {
	Boot    string  `json:"boot"`
	Seconds float64 `json:"seconds"`
}

type saved struct {
	Path      string `json:"path"`
	Before    state  `json:"before"`
	Installed state  `json:"installed"`
}

// state is an entry without its bytes, which lie in the backup's folder under their hash.
type state struct {
	Exists bool        `json:"exists"`
	Mode   fs.FileMode `json:"mode,omitempty"`
	UID    int         `json:"uid,omitempty"`
	GID    int         `json:"gid,omitempty"`
	Link   string      `json:"link,omitempty"`
	SHA256 string      `json:"sha256,omitempty"`
}

func stateOf(e entry) state {
	s := state{Exists: e.exists, Mode: e.mode, UID: e.uid, GID: e.gid, Link: e.link}
	if e.regular() {
		s.SHA256 = sum(e.data)
	}
	return s
}

func sum(data []byte) string {
	h := sha256.Sum256(data)
	return hex.EncodeToString(h[:])
}

// like says whether what lies there now is what the state describes.
func (s state) like(e entry) bool {
	now := stateOf(e)
	return s.Exists == now.Exists && s.Mode == now.Mode && s.Link == now.Link && s.SHA256 == now.SHA256
}

// readManifest reads the manifest; a node that was never installed has an empty one.
func readManifest(t *Tree) (*manifest, error) {
	m := &manifest{Version: 1}
	if err := t.Trusted(manifestFile); err != nil {
		return nil, err
	}
	data, err := t.Read(manifestFile)
	if errors.Is(err, fs.ErrNotExist) {
		return m, nil
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(data, m); err != nil || m.Version != 1 {
		return nil, fmt.Errorf("reading %s: it is not a manifest of this version of phigate: use the phigate that installed this node, or move the folder away and restore by hand", manifestFile)
	}
	for _, e := range m.Entries {
		if !path.IsAbs(e.Path) {
			return nil, fmt.Errorf("reading %s: it names %q, which is no absolute path", manifestFile, e.Path)
		}
	}
	return m, nil
}

func (m *manifest) find(name string) *saved {
	i := slices.IndexFunc(m.Entries, func(s saved) bool { return s.Path == name })
	if i < 0 {
		return nil
	}
	return &m.Entries[i]
}

// edited says whether the path was ours and is another's by now.
func (m *manifest) edited(name string, now entry) bool {
	s := m.find(name)
	return s != nil && !s.Installed.like(now)
}

// note takes a change down. What was there before the first of several stays what is put back.
func (m *manifest) note(c Change) {
	s := m.find(c.Path)
	if s == nil {
		m.Entries = append(m.Entries, saved{Path: c.Path, Before: stateOf(c.before)})
		s = &m.Entries[len(m.Entries)-1]
	}
	s.Installed = stateOf(c.after)
}

func (t *Tree) writeManifest(m *manifest) error {
	data, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return fmt.Errorf("writing the manifest: %w", err)
	}
	return t.put(manifestFile, entry{exists: true, mode: 0o600, data: append(data, '\n')})
}

// original is what lay at the path before the first install.
func (t *Tree) original(s saved) (entry, error) {
	b := s.Before
	e := entry{exists: b.Exists, mode: b.Mode, uid: b.UID, gid: b.GID, link: b.Link}
	if b.SHA256 == "" {
		return e, nil
	}
	data, err := t.Read(path.Join(savedFolder, b.SHA256))
	if err != nil {
		return e, err
	}
	if sum(data) != b.SHA256 {
		return e, fmt.Errorf("the backup of %s was changed: restore that file by hand, from %s", s.Path, savedFolder)
	}
	e.data = data
	return e, nil
}

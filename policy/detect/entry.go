package detect

import "github.com/phigate/phigate/policy"

// Entry is one name of a tree with what is known without opening it.
type Entry struct {
	Path string // absolute within the root, raw bytes
	Kind EntryKind
	Mode uint32 // permission bits with setuid (04000), setgid (02000) and sticky (01000)
	Link string // the target of a symbolic link
	// Capabilities says that the file gives its process capabilities
	// (capabilities(7), "File capabilities"); of executable files alone.
	Capabilities bool
}

// EntryKind is what a name stands for.
type EntryKind uint8

const (
	File EntryKind = iota
	Folder
	Link
	Special // a device, a FIFO or a socket
)

// Base is the last part of the path.
func (e Entry) Base() string { return e.Path[lastSlash(e.Path)+1:] }

// Dir is the path before the last part, without a slash at its end.
func (e Entry) Dir() string { return e.Path[:max(0, lastSlash(e.Path))] }

func lastSlash(path string) int {
	for i := len(path) - 1; i >= 0; i-- {
		if path[i] == '/' {
			return i
		}
	}
	return -1
}

// Name asks the detectors of names about one.
func (s *Set) Name(e Entry) []policy.Finding {
	var found []policy.Finding
	for _, i := range s.names {
		d := &s.detectors[i]
		if message := d.Name(e); message != "" {
			found = append(found, policy.Finding{Rule: d.ID, Message: message, Count: 1, Where: policy.Where{Path: e.Path}})
		}
	}
	return found
}

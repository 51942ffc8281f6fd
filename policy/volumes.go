package policy

import (
	"path"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// PHIVolume says whether a host path lies in, is, or holds one of the volumes
// that the operator said hold ePHI. A pattern's `**` fits everything below, so
// that "/srv/**/ephi" counts all of /srv: what may hold ePHI is treated as if
// it did.
func (s *Subject) PHIVolume(hostPath string) bool {
	for _, pattern := range s.PHIVolumes {
		if meets(pattern, path.Clean("/"+hostPath)) {
			return true
		}
	}
	return false
}

// meets compares pattern and path part by part, until one of them ends: the
// path then lies below what is meant, or above it.
func meets(pattern, at string) bool {
	for pattern, at = parts(pattern), parts(at); pattern != "" && at != ""; {
		var want, part string
		want, pattern, _ = strings.Cut(pattern, "/")
		part, at, _ = strings.Cut(at, "/")
		if want == "**" {
			return true
		}
		if ok, err := doublestar.Match(want, part); !ok || err != nil {
			return false
		}
	}
	return true
}

func parts(p string) string { return strings.Trim(p, "/") }

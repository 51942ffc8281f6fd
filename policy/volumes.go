package policy

import (
	"errors"
	"path"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// What a pattern of phiVolumes can say besides a path of the host: that it must
// be mounted read-only, and that it is a path of the container in place of the
// host's, at which something must be mounted.
const (
	readOnlyVolume  = ":ro"
	containerVolume = "container:"
)

// CheckPHIVolume says what is wrong with a pattern of phiVolumes: "/srv/ephi/**",
// "/srv/codes/**:ro" or "container:/data/phi".
func CheckPHIVolume(pattern string) error {
	inContainer := strings.HasPrefix(pattern, containerVolume)
	at := strings.TrimPrefix(pattern, containerVolume)
	switch {
	case inContainer && strings.HasSuffix(at, readOnlyVolume):
		return errors.New("a path of the container has no :ro; write it at the path of the host")
	case inContainer && strings.ContainsAny(at, "*?[{\\"):
		return errors.New("a path of the container is written whole, without a pattern")
	}
	at = strings.TrimSuffix(at, readOnlyVolume)
	switch {
	case !strings.HasPrefix(at, "/"):
		return errors.New("it must be an absolute path, such as /srv/ephi/**")
	case parts(at) == "":
		return errors.New("it would be all of the host or the container")
	case !doublestar.ValidatePattern(at):
		return errors.New("it is no valid pattern")
	}
	return nil
}

// PHIVolume says whether a host path lies in, is, or holds one of the volumes
// that the operator said hold ePHI. A pattern's `**` fits everything below, so
// that "/srv/**/ephi" counts all of /srv: what may hold ePHI is treated as if
// it did.
func (s *Subject) PHIVolume(hostPath string) bool {
	return slices.ContainsFunc(s.PHIVolumes, func(pattern string) bool { return ofHost(pattern) && meets(pattern, hostPath) })
}

// ReadOnlyPHIVolume says whether a host path is of a volume that is to be
// mounted read-only.
func (s *Subject) ReadOnlyPHIVolume(hostPath string) bool {
	return slices.ContainsFunc(s.PHIVolumes, func(pattern string) bool {
		return ofHost(pattern) && strings.HasSuffix(pattern, readOnlyVolume) && meets(pattern, hostPath)
	})
}

// ForeignPHIVolume says whether a host path is of a volume that documents
// declare for other subjects and none for this one.
func (s *Subject) ForeignPHIVolume(hostPath string) bool {
	return slices.ContainsFunc(s.ForeignPHIVolumes, func(pattern string) bool { return ofHost(pattern) && meets(pattern, hostPath) }) &&
		!slices.ContainsFunc(s.GrantedPHIVolumes, func(pattern string) bool { return ofHost(pattern) && holds(pattern, hostPath) })
}

// mountsPHI says whether a subject mounts what the documents that select it
// declare to hold ePHI: by a path of the host, or at a path of the container.
func (p *Policy) mountsPHI(s *Subject) bool {
	if s.Spec == nil {
		return false
	}
	if s = p.WithPHIVolumes(s); len(s.PHIVolumes) == 0 {
		return false
	}
	inside := s.ContainerPHIPaths()
	return slices.ContainsFunc(s.Spec.Mounts, func(m specs.Mount) bool {
		for _, source := range []string{m.Source, s.Host.RealPath[m.Source]} {
			if source != "" && s.PHIVolume(source) {
				return true
			}
		}
		return slices.ContainsFunc(inside, func(at string) bool { return meets(at, m.Destination) })
	})
}

// ContainerPHIPaths are the paths of the container at which ePHI is kept.
func (s *Subject) ContainerPHIPaths() []string {
	var out []string
	for _, pattern := range s.PHIVolumes {
		if at, ok := strings.CutPrefix(pattern, containerVolume); ok {
			out = append(out, path.Clean("/"+at))
		}
	}
	return out
}

func ofHost(pattern string) bool { return !strings.HasPrefix(pattern, containerVolume) }

// meets compares pattern and path part by part, until one of them ends: the
// path then lies below what is meant, or above it.
func meets(pattern, at string) bool {
	at = path.Clean("/" + at)
	for pattern, at = parts(strings.TrimSuffix(pattern, readOnlyVolume)), parts(at); pattern != "" && at != ""; {
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

// holds says whether a path is or lies wholly in what a pattern names.
func holds(pattern, at string) bool {
	pattern, at = strings.TrimSuffix(pattern, readOnlyVolume), path.Clean("/"+at)
	for _, p := range []string{pattern, strings.TrimSuffix(pattern, "/") + "/**"} {
		if ok, err := doublestar.Match(p, at); ok && err == nil {
			return true
		}
	}
	return false
}

func parts(p string) string { return strings.Trim(p, "/") }

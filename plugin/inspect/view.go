package inspect

import (
	"errors"
	"path"
	"strings"

	"github.com/phigate/phigate/plugin/cache"
	"github.com/phigate/phigate/plugin/rootfs"
)

// Bounds of following links in an image: the kernel's own for links
// (path_resolution(7)), and one for all names on the way.
const (
	maxHops  = 40
	maxSteps = 512
)

// maxLevels bounds the folders that a view remembers.
const maxLevels = 1 << 16

var (
	errLoop  = errors.New("too many levels of symbolic links")
	errSteps = errors.New("too many names behind symbolic links")
)

// view is the layers of an image, lowest first, as overlayfs shows them. A nil
// layer is not known and hides nothing. It is not safe for concurrent use.
type view struct {
	layers  []*cache.Layer
	finders []*cache.Finder
	levels  map[string]int
}

func (v *view) lookup(i int, path string) (cache.Name, bool, error) {
	if v.layers[i] == nil {
		return cache.Name{}, false, nil
	}
	if v.finders == nil {
		v.finders = make([]*cache.Finder, len(v.layers))
	}
	if v.finders[i] == nil {
		v.finders[i] = v.layers[i].Finder()
	}
	return v.finders[i].Lookup(path)
}

// level is the highest layer that hides what lower ones have below a folder:
// it, or a folder above it, is opaque there or is no folder there. -1: none.
func (v *view) level(folder string) (int, error) {
	if folder == "" {
		folder = "/"
	}
	if level, ok := v.levels[folder]; ok {
		return level, nil
	}
	level := -1
	if folder != "/" {
		above, err := v.level(path.Dir(folder))
		if err != nil {
			return 0, err
		}
		level = above
	}
	for i := len(v.layers) - 1; i > level; i-- {
		n, ok, err := v.lookup(i, folder)
		if err != nil {
			return 0, err
		}
		if ok && (n.Opaque || n.Kind != rootfs.Directory) {
			level = i
		}
	}
	if v.levels == nil || len(v.levels) >= maxLevels {
		v.levels = map[string]int{}
	}
	v.levels[folder] = level
	return level, nil
}

// hidden says whether layers above i delete or replace the file that i has at
// the path.
func (v *view) hidden(i int, file string) (bool, error) {
	level, err := v.level(path.Dir(file))
	if err != nil || level > i {
		return true, err
	}
	for j := len(v.layers) - 1; j > i; j-- {
		if _, ok, err := v.lookup(j, file); ok || err != nil {
			return true, err
		}
	}
	return false, nil
}

// top is the name that the image shows at a path whose folder holds no link.
func (v *view) top(name string) (cache.Name, bool, error) {
	level, err := v.level(path.Dir(name))
	if err != nil {
		return cache.Name{}, false, err
	}
	for i := len(v.layers) - 1; i >= max(level, 0); i-- {
		n, ok, err := v.lookup(i, name)
		if err != nil {
			return n, false, err
		}
		if ok {
			return n, n.Kind != rootfs.Whiteout, nil
		}
	}
	return cache.Name{}, false, nil
}

// resolve follows the symbolic links on the way to a folder, as a process with
// the image as its root would: never out of it. Names that do not exist are
// taken as they are. The result has no slash at its end; the root is "".
func (v *view) resolve(folder string) (string, error) {
	at, todo, hops := "", parts(folder), 0
	for steps := 0; len(todo) > 0; steps++ {
		if steps >= maxSteps {
			return "", errSteps
		}
		part := todo[0]
		todo = todo[1:]
		if part == ".." {
			at = at[:max(strings.LastIndexByte(at, '/'), 0)]
			continue
		}
		next := at + "/" + part
		n, ok, err := v.top(next)
		if err != nil {
			return "", err
		}
		if !ok || n.Kind != rootfs.Symlink {
			at = next
			continue
		}
		if hops++; hops > maxHops {
			return "", errLoop
		}
		if strings.HasPrefix(n.Link, "/") {
			at = ""
		}
		todo = append(parts(n.Link), todo...)
	}
	return at, nil
}

// parts are the names of a path, without empty ones and dots.
func parts(p string) []string {
	var out []string
	for part := range strings.SplitSeq(p, "/") {
		if part != "" && part != "." {
			out = append(out, part)
		}
	}
	return out
}

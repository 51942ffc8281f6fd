// Package target opens what `phigate scan` is given: a folder, an image in an
// archive, in an OCI layout, in a registry or in containerd. It reads no policy
// and judges nothing; it hands over layers to be walked.
//
// Everything that it opens was written by somebody else: what is read into
// memory is bounded, each layer is compared with the digest that the image's
// config gives it, and nothing is unpacked to disk.
package target

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/phigate/phigate/plugin/rootfs"
	"github.com/phigate/phigate/policy"
)

// ErrInput is in every error whose cause is the target itself: it is not there,
// is damaged, or is not what it should be. Other errors are of this machine.
var ErrInput = errors.New("invalid input")

// inputError says only its cause, and is an [ErrInput].
type inputError struct{ error }

func (e inputError) Is(target error) bool { return target == ErrInput }
func (e inputError) Unwrap() error        { return e.error }

// input makes an error of the target's.
func input(format string, args ...any) error { return inputError{fmt.Errorf(format, args...)} }

// Target is something at rest that can be scanned. Close it.
type Target struct {
	Name   string       // as it was given, without credentials
	Image  policy.Image // empty for a folder
	Config *v1.Config   // of the image; nil for a folder
	Layers []Layer      // lowest first; a folder is one
	Size   int64        // bytes that are read, as far as known; 0: not known
	// OnRead, when set before the layers are walked, is told how many bytes of
	// Size were read. It is called by the goroutine that walks.
	OnRead func(n int64)

	close func() error
}

// Layer is one layer of a target.
type Layer struct {
	Key  string // digest of the uncompressed bytes, or another name that is the layer's alone
	Tree rootfs.Tree
	// Unseen says what of the image the tree does not show; empty: nothing.
	Unseen string
}

// Close gives back what the target holds.
func (t *Target) Close() error {
	if t.close == nil {
		return nil
	}
	return t.close()
}

func (t *Target) read(n int64) {
	if t.OnRead != nil {
		t.OnRead(n)
	}
}

// Options are what some kinds of target need.
type Options struct {
	Containerd string // containerd's socket
	Mounts     string // a folder of ours, for read-only mounts of snapshots
}

// Kinds that can be named before the target, where it could be two things.
const (
	schemeContainerd = "containerd://"
	schemeRegistry   = "registry://"
	schemeDocker     = "docker://"
	prefixDir        = "dir:"
	prefixOCI        = "oci:"
	prefixArchive    = "docker-archive:"
	prefixOCIArchive = "oci-archive:"
)

// IsNodes says whether text names an image of this node's containerd.
func IsNodes(text string) bool { return strings.HasPrefix(text, schemeContainerd) }

// Open finds out what text names and prepares it for reading. ctx must live as
// long as the target.
func Open(ctx context.Context, text string, o Options) (*Target, error) {
	t := &Target{Name: Redact(text)}
	err := t.open(ctx, text, o)
	if err != nil {
		return nil, errors.Join(err, t.Close())
	}
	return t, nil
}

func (t *Target) open(ctx context.Context, text string, o Options) error {
	if name, ok := strings.CutPrefix(text, schemeContainerd); ok {
		return t.containerd(ctx, name, o)
	}
	for _, scheme := range []string{schemeRegistry, schemeDocker} {
		if ref, ok := strings.CutPrefix(text, scheme); ok {
			return t.registry(ctx, ref)
		}
	}
	if path, ok := strings.CutPrefix(text, prefixDir); ok {
		return t.folder(path)
	}
	for _, prefix := range []string{prefixOCI, prefixArchive, prefixOCIArchive} {
		if path, ok := strings.CutPrefix(text, prefix); ok {
			path, pick := splitPick(path)
			return t.stored(ctx, path, pick)
		}
	}
	return t.guess(ctx, text)
}

// guess takes what is there for what it looks like, and what is not there for a
// reference, unless nobody would write a reference like that.
func (t *Target) guess(ctx context.Context, text string) error {
	info, err := os.Stat(text)
	switch {
	case err == nil && info.IsDir():
		if _, err := os.Lstat(filepath.Join(text, layoutFile)); err == nil {
			return t.stored(ctx, text, "")
		}
		return t.folder(text)
	case err == nil:
		return t.stored(ctx, text, "")
	case !errors.Is(err, os.ErrNotExist):
		return input("opening %s: %w", t.Name, plain(err))
	case text == "" || looksLikePath(text):
		return input("%s is not there: check the path, or write registry://NAME for an image in a registry", policy.Printable(t.Name))
	}
	err = t.registry(ctx, text)
	if errors.Is(err, ErrInput) {
		return input("%w (there is no file or folder of that name either)", err)
	}
	return err
}

func looksLikePath(text string) bool {
	if filepath.IsAbs(text) || strings.HasPrefix(text, ".") {
		return true
	}
	for _, ending := range []string{".tar", ".tar.gz", ".tgz", "/"} {
		if strings.HasSuffix(text, ending) {
			return true
		}
	}
	return false
}

// splitPick splits PATH@sha256:... and PATH:NAME. The shortest path that is
// there is the path: names of images hold colons of their own.
func splitPick(text string) (path, pick string) {
	if _, err := os.Stat(text); err == nil {
		return text, ""
	}
	for i := range len(text) {
		if text[i] != ':' && text[i] != '@' {
			continue
		}
		if _, err := os.Stat(text[:i]); err == nil {
			return text[:i], text[i+1:]
		}
	}
	return text, ""
}

// folder is a plain tree of files.
func (t *Target) folder(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return input("opening the folder %s: %w", policy.Printable(path), plain(err))
	}
	if !info.IsDir() {
		return input("%s is not a folder", policy.Printable(path))
	}
	path, err = filepath.EvalSymlinks(path) // the walk itself follows no link
	if err != nil {
		return input("opening the folder: %w", plain(err))
	}
	t.Layers = []Layer{{Key: "directory", Tree: owned{rootfs.Dir(path)}}}
	return nil
}

// plain is a file system's error without the path, which the message has already.
func plain(err error) error {
	var path *os.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

// Redact removes a user and a password from a target, for messages and reports.
func Redact(text string) string {
	scheme, rest, found := strings.Cut(text, "://")
	if found {
		scheme += "://"
	} else {
		scheme, rest = "", text
	}
	host, path, _ := strings.Cut(rest, "/")
	at := strings.LastIndexByte(host, '@')
	if at < 0 || strings.HasPrefix(host[at+1:], "sha256:") {
		return text
	}
	if rest == host {
		return scheme + host[at+1:]
	}
	return scheme + host[at+1:] + "/" + path
}

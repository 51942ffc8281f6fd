// Package layers tells which folders a mounted root filesystem is made of, and
// what the engines that made them call them. It asks no engine anything: an engine
// that starts a container may hold that container's lock.
package layers

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Overlay is an overlay mount.
type Overlay struct {
	Lower []string // the layers' folders, lowest first
	Upper string   // the writable one; empty where there is none
}

// maxLower bounds the folders: the kernel takes 500 (OVL_MAX_STACK).
const maxLower = 500

// ErrNotOverlay is given for a mount whose folders cannot be told.
var ErrNotOverlay = errors.New("not an overlay whose folders can be told")

// Mount is what a line of mountinfo (proc(5)) says.
type Mount struct {
	Device  string // "major:minor"
	Root    string // which part of the file system is mounted
	Point   string
	Type    string
	options []string // of the file system
}

// ParseMount reads a line of mountinfo.
func ParseMount(line string) (Mount, error) {
	before, after, ok := strings.Cut(line, " - ")
	f, g := strings.Fields(before), strings.Fields(after)
	if !ok || len(f) < 6 || len(g) < 3 {
		return Mount{}, errors.New("this is no line of mountinfo")
	}
	return Mount{Device: f[2], Root: unescape(f[3]), Point: unescape(f[4]), Type: g[0], options: splitOptions(g[2])}, nil
}

// splitOptions cuts at commas that no backslash protects: overlayfs writes a
// comma within a path as "\,", which mountinfo shows as "\134,".
func splitOptions(text string) (out []string) {
	for _, part := range strings.Split(text, ",") {
		if n := len(out); n > 0 && strings.HasSuffix(out[n-1], `\134`) {
			out[n-1] += "," + part
		} else {
			out = append(out, part)
		}
	}
	return out
}

// unescape undoes the octal escapes of mountinfo.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// Overlay reads the mount's folders. Relative ones, which engines write where
// the absolute do not fit into a page, are looked for where those engines were: in the
// folders above the upper one and above the mount point. Links are resolved.
func (m Mount) Overlay() (Overlay, error) {
	if m.Type != "overlay" || m.Root != "/" {
		return Overlay{}, ErrNotOverlay
	}
	var o Overlay
	var lower []string // highest first
	for _, option := range m.options {
		key, value, _ := strings.Cut(option, "=")
		switch key {
		case "lowerdir":
			lower = append(lower, splitLower(unescape(value))...)
		case "lowerdir+": // one folder for each, with the mount API of Linux 6.8
			lower = append(lower, plain(unescape(value)))
		case "datadir+":
			return Overlay{}, ErrNotOverlay // content that the layers' folders do not show
		case "upperdir":
			o.Upper = plain(unescape(value))
		}
	}
	if len(lower) == 0 || len(lower) > maxLower {
		return Overlay{}, ErrNotOverlay
	}
	slices.Reverse(lower)
	for _, folder := range lower {
		real, err := m.find(folder, o.Upper)
		if err != nil {
			return Overlay{}, err
		}
		o.Lower = append(o.Lower, real)
	}
	if o.Upper == "" {
		return o, nil
	}
	var err error
	o.Upper, err = m.find(o.Upper, "")
	return o, err
}

// splitLower cuts at colons that no backslash protects. An empty part stands
// where "::" begins the folders that hold data alone.
func splitLower(s string) (out []string) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s):
			i++
			b.WriteByte(s[i])
		case s[i] == ':':
			out = append(out, b.String())
			b.Reset()
		default:
			b.WriteByte(s[i])
		}
	}
	return append(out, b.String())
}

// plain takes the backslashes away that protect an option's characters.
func plain(s string) string {
	if parts := splitLower(s); len(parts) == 1 {
		return parts[0]
	}
	return s
}

// find resolves one folder.
func (m Mount) find(folder, upper string) (string, error) {
	if folder == "" {
		return "", ErrNotOverlay
	}
	if filepath.IsAbs(folder) {
		return realFolder(folder)
	}
	for _, near := range []string{upper, m.Point} {
		for range 3 { // upper: snapshots/7/fs, overlay2/ID/diff; mount point: overlay2/ID/merged
			if !filepath.IsAbs(near) || near == "/" {
				break
			}
			near = filepath.Dir(near)
			if real, err := realFolder(filepath.Join(near, folder)); err == nil {
				return real, nil
			}
		}
	}
	return "", fmt.Errorf("%w: a relative folder is not where engines put it", ErrNotOverlay)
}

func realFolder(path string) (string, error) {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrNotOverlay, err)
	}
	info, err := os.Stat(real)
	if err == nil && !info.IsDir() {
		err = ErrNotOverlay
	}
	return real, err
}

// Package door is what phigate-runc and phigate-hook have in common: their configuration,
// the question to phigated, and what happens when there is no answer.
package door

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Config is what a door is told by its file.
type Config struct {
	Runc        string        // the real runtime behind the wrapper, an absolute path; empty where it is not said
	Socket      string        // phigated's
	Deadline    time.Duration // for an answer
	Unavailable Unavailable   // what holds where phigated gives no answer
	BreakGlass  string        // the file that lets containers run, for a time
	Spool       string        // folder for what phigated could not be told
}

// Defaults are what is left out.
func Defaults() Config {
	return Config{
		Socket: "/run/phigate/gate.sock", Deadline: time.Minute,
		BreakGlass: "/etc/phigate/break-glass", Spool: "/var/lib/phigate/breakglass",
	}
}

// maxFile bounds the files that a door reads, in bytes.
const maxFile = 64 << 10

// LoadConfig reads the configuration. It must be root's and nobody else's to
// write, since it says which program is run as root.
func LoadConfig(path string) (Config, error) {
	data, err := readOwned(path)
	if err != nil {
		return Config{}, fmt.Errorf("reading the configuration %s: %w", path, err)
	}
	c, err := parseConfig(data)
	if err != nil {
		return Config{}, fmt.Errorf("reading the configuration %s: %w", path, err)
	}
	return c, nil
}

// parseConfig reads a small part of YAML: lines of "key: value", where a value
// is plain or in double quotes without escapes; comments and empty lines. That is all the
// file needs, and a YAML library would cost each container its start.
func parseConfig(data []byte) (Config, error) {
	c := Defaults()
	seen := map[string]bool{}
	n := 0
	for line := range strings.Lines(string(data)) {
		n++
		key, value, err := parseLine(line)
		if err == nil && key != "" {
			if seen[key] {
				err = fmt.Errorf("%s stands twice", key)
			} else {
				seen[key] = true
				err = c.set(key, value)
			}
		}
		if err != nil {
			return c, fmt.Errorf("line %d: %w", n, err)
		}
	}
	return c, nil
}

// parseLine reads one line; the key is empty where it holds none.
func parseLine(line string) (key, value string, err error) {
	line = strings.TrimRight(line, " \t\r\n")
	if line == "" || strings.HasPrefix(strings.TrimLeft(line, " \t"), "#") || line == "---" {
		return "", "", nil
	}
	key, value, ok := strings.Cut(line, ":")
	if !ok || key == "" || strings.ContainsAny(key, " \t\"'") || value != "" && value[0] != ' ' && value[0] != '\t' {
		return "", "", errors.New(`it is not of the form "key: value"`)
	}
	value = strings.TrimLeft(value, " \t")
	if quoted, ok := strings.CutPrefix(value, `"`); ok {
		text, rest, ok := strings.Cut(quoted, `"`)
		rest = strings.TrimLeft(rest, " \t")
		if !ok || strings.Contains(text, `\`) || rest != "" && !strings.HasPrefix(rest, "#") {
			return "", "", errors.New("a value in quotes ends at the line's end and holds no backslash")
		}
		return key, text, nil
	}
	if text, _, ok := strings.Cut(value, " #"); ok {
		value = strings.TrimRight(text, " \t")
	}
	if value == "" || strings.ContainsAny(value[:1], "#'[]{}&*!|>%@`,?-") {
		return "", "", fmt.Errorf("%s has no plain value", key)
	}
	return key, value, nil
}

func (c *Config) set(key, value string) error {
	path := func(to *string) error {
		if !filepath.IsAbs(value) || strings.Contains(value, "\x00") {
			return fmt.Errorf("%s must be an absolute path, and is %q", key, value)
		}
		*to = filepath.Clean(value)
		return nil
	}
	switch key {
	case "runc":
		return path(&c.Runc)
	case "socket":
		return path(&c.Socket)
	case "breakGlass":
		return path(&c.BreakGlass)
	case "spool":
		return path(&c.Spool)
	case "deadline":
		d, err := time.ParseDuration(value)
		if err != nil || d < 100*time.Millisecond || d > 10*time.Minute {
			return fmt.Errorf("deadline must be from 100ms to 10m, and is %q", value)
		}
		c.Deadline = d
		return nil
	}
	if isUnavailable(key) {
		return c.Unavailable.set(key, value)
	}
	return fmt.Errorf("%q is no key; known are runc, socket, deadline, onUnavailable, onUnavailable.NAMESPACE, breakGlass and spool", key)
}

// readOwned reads a file that is root's and that root alone may change or
// replace: the same holds for each folder above it.
func readOwned(path string) ([]byte, error) {
	if !filepath.IsAbs(path) {
		return nil, errors.New("its path is not absolute")
	}
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return nil, bare(err)
	}
	for folder := filepath.Dir(real); ; folder = filepath.Dir(folder) {
		var st unix.Stat_t
		if err := unix.Stat(folder, &st); err != nil {
			return nil, err
		}
		if st.Mode&unix.S_ISVTX != 0 { // nobody replaces there what is root's (/tmp)
			st.Mode &^= 0o022
		}
		if err := Owned(&st); err != nil {
			return nil, fmt.Errorf("the folder %s %w", folder, err)
		}
		if folder == "/" {
			break
		}
	}
	fd, err := unix.Open(real, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), real)
	defer f.Close()
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG || st.Size > maxFile {
		return nil, fmt.Errorf("it is not a file of at most %d bytes", maxFile)
	}
	if err := Owned(&st); err != nil {
		return nil, fmt.Errorf("it %w", err)
	}
	return io.ReadAll(io.LimitReader(f, maxFile))
}

// Owned says, as the end of a sentence, why a file is not root's alone to change.
func Owned(st *unix.Stat_t) error {
	if st.Uid != 0 {
		return errors.New("belongs to user " + strconv.Itoa(int(st.Uid)) + ", not to root (chown root)")
	}
	if st.Mode&0o022 != 0 {
		return errors.New("may be written to by others than root (chmod go-w)")
	}
	return nil
}

// bare is an error without the path, which the message says already.
func bare(err error) error {
	var p *os.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

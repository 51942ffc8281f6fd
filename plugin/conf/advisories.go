package conf

import (
	"archive/zip"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/osv"
)

// Bounds of the advisories' files: how many there are, zip entries included, and
// their bytes after inflating. What is kept of them has one of its own, see
// package osv.
const (
	maxAdvisories    = 2_000_000
	maxAdvisoryBytes = 16 << 30
)

// ReadAdvisories reads OSV advisories: files *.json with one each, archives *.zip
// of such files, as osv.dev has one for each ecosystem, and folders of both at
// any depth. It reads files alone and asks no server.
//
// What can be read counts: the error then says how many advisories cannot be, and
// why the first of them cannot. Without a database nothing can be compared.
func ReadAdvisories(ctx context.Context, paths []string) (*osv.Database, error) {
	r := advisoryReader{ctx: ctx, database: osv.New()}
	for _, path := range paths {
		if err := r.path(path); err != nil {
			return nil, fmt.Errorf("reading advisories: %w", err)
		}
	}
	if r.database.Advisories() == 0 {
		if r.first != nil {
			return nil, fmt.Errorf("reading advisories: %w", r.first)
		}
		return nil, fmt.Errorf("reading advisories: of %d in %q none is about packages that are compared: those of Debian, Ubuntu, Alpine, Wolfi, Chainguard, "+
			"Red Hat, Rocky Linux, AlmaLinux, Go and Maven; download ECOSYSTEM/all.zip of one of them", r.files, paths)
	}
	if r.first != nil {
		return r.database, fmt.Errorf("%d of %d advisories cannot be read, the first: %w", r.bad, r.files, r.first)
	}
	return r.database, nil
}

// advisoryReader reads one set of files.
type advisoryReader struct {
	ctx      context.Context
	database *osv.Database
	files    int
	bytes    int64
	bad      int
	first    error // of the bad ones
}

// path reads what the operator named, which must exist.
func (r *advisoryReader) path(path string) error {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s does not exist: name a file .json or .zip, or a folder that holds some", path)
	}
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return r.file(path)
	}
	return filepath.WalkDir(path, func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || !isAdvisory(name) {
			return err
		}
		return r.file(name)
	})
}

func isAdvisory(name string) bool {
	ext := filepath.Ext(name)
	return ext == ".json" || ext == ".zip"
}

// file reads one file or archive. An error is one of this machine, or means that
// the advisories are of no use.
func (r *advisoryReader) file(path string) error {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a FIFO must not hold us up
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is not a regular file", path)
	}
	if filepath.Ext(path) == ".zip" {
		return r.archive(path, f, info.Size())
	}
	return r.advisory(path, f)
}

// archive reads the entries *.json of a zip archive.
func (r *advisoryReader) archive(path string, f *os.File, size int64) error {
	z, err := zip.NewReader(f, size)
	if err != nil {
		r.reject(path, errors.New("no zip archive, or a damaged one"))
		return nil
	}
	for _, entry := range z.File {
		if filepath.Ext(entry.Name) != ".json" || entry.Mode().IsDir() {
			continue
		}
		in, err := entry.Open()
		if err != nil {
			r.reject(path+"!"+entry.Name, errors.New("damaged, or packed in a way that is not read"))
			continue
		}
		err = r.advisory(path+"!"+entry.Name, in)
		in.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

// advisory reads one.
func (r *advisoryReader) advisory(path string, in io.Reader) error {
	if err := r.ctx.Err(); err != nil {
		return err
	}
	r.files++
	data, err := io.ReadAll(io.LimitReader(in, osv.MaxAdvisory+1))
	r.bytes += int64(len(data))
	switch {
	case r.files > maxAdvisories || r.bytes > maxAdvisoryBytes:
		return fmt.Errorf("more than %d advisories, or than %d bytes of them", maxAdvisories, int64(maxAdvisoryBytes))
	case err != nil:
		r.bad++
		r.reject(path, errors.New("cannot be read to its end"))
		return nil
	}
	if err := r.database.Add(data); errors.Is(err, osv.ErrTooLarge) {
		return err
	} else if err != nil {
		r.bad++
		r.reject(path, err)
	}
	return nil
}

// reject keeps the first reason.
func (r *advisoryReader) reject(path string, err error) {
	if r.first == nil {
		r.first = fmt.Errorf("%s: %w", policy.Printable(path), err)
	}
}

// StampAdvisories changes when a file among those that ReadAdvisories reads does:
// it goes by names, sizes and times.
func StampAdvisories(paths []string) string {
	sum := sha256.New()
	for _, path := range paths {
		_ = filepath.WalkDir(path, func(name string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() || name != path && !isAdvisory(name) {
				fmt.Fprintf(sum, "%q %v\n", name, err)
				return nil
			}
			if info, err := os.Stat(name); err == nil {
				fmt.Fprintf(sum, "%q %d %d\n", name, info.Size(), info.ModTime().UnixNano())
			}
			return nil
		})
	}
	return string(sum.Sum(nil))
}

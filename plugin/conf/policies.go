package conf

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/phigate/phigate/policy/config"
)

// Bounds of the policy files together: how many there are, and their bytes.
const (
	maxPolicies = 5000
	maxBytes    = 16 << 20
)

// VendorPolicies is where packages put policies. It is the one path that need
// not exist.
const VendorPolicies = "/usr/lib/phigate/policies.d"

// ReadPolicies reads the files, and in folders the files *.yaml and *.yml in
// the order of their names. A path that does not exist is an error: a policy
// that is looked for in the wrong place must not go unnoticed. Each path is a
// layer above those before it: a document of it may override one of theirs.
func ReadPolicies(paths []string) ([]config.File, error) {
	var files []config.File
	total := 0
	for layer, path := range paths {
		names, err := policyFiles(path)
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			if len(files) == maxPolicies {
				return nil, fmt.Errorf("reading policies: there are more than %d files", maxPolicies)
			}
			data, err := readBounded(name)
			if err != nil {
				return nil, err
			}
			if total += len(data); total > maxBytes {
				return nil, fmt.Errorf("reading policies: the files have more than %d bytes together, which is the most that is accepted", maxBytes)
			}
			files = append(files, config.File{Name: name, Data: data, Layer: layer})
		}
	}
	return files, nil
}

func policyFiles(path string) ([]string, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) && path == VendorPolicies {
		return nil, nil
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("reading policies: %s does not exist: name a policy file, or a folder that holds some", path)
	}
	if err != nil {
		return nil, fmt.Errorf("reading policies: %w", err)
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, fmt.Errorf("reading policies: %w", err)
	}
	var names []string
	for _, e := range entries {
		if ext := filepath.Ext(e.Name()); e.Name()[0] != '.' && (ext == ".yaml" || ext == ".yml") {
			names = append(names, filepath.Join(path, e.Name()))
		}
	}
	slices.Sort(names)
	return names, nil
}

// readBounded reads at most one byte more than a policy may have; the compiler
// says that it is too large.
func readBounded(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a FIFO must not hold us up
	if err != nil {
		return nil, fmt.Errorf("reading policies: %w", err)
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, fmt.Errorf("reading policies: %s is not a regular file", path)
	}
	data, err := io.ReadAll(io.LimitReader(f, config.MaxSize+1))
	if err != nil {
		return nil, fmt.Errorf("reading policies: %w", err)
	}
	return data, nil
}

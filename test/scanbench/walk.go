package main

import (
	"fmt"
	"io/fs"
	"path/filepath"
)

// eachFile gives the paths of all regular files below the folder, in order.
func eachFile(folder string, take func(path string) error) error {
	return filepath.WalkDir(folder, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		return take(path)
	})
}

// census counts the regular files of a tree and their bytes. A file with several
// names counts under each, as all contestants but phigate read it.
func census(tree string) (files int, size int64, err error) {
	err = filepath.WalkDir(tree, func(_ string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		files, size = files+1, size+info.Size()
		return nil
	})
	if err != nil {
		return 0, 0, fmt.Errorf("counting the tree's files: %w", err)
	}
	return files, size, nil
}

package journal

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
)

// The cursor file holds the number of the last record sent, in decimal, and a
// newline.

// loadCursor is 0 where there is no file, or none that can be read.
func loadCursor(path string) (uint64, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("reading journal cursor: %w", err)
	}
	sent, err := strconv.ParseUint(string(bytes.TrimSpace(data)), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("reading journal cursor %s: not a number", path)
	}
	return sent, nil
}

// saveCursor replaces the file in one step. While verdicts are written it is
// not synced, since every sync here would delay theirs: a cursor that a crash
// takes away costs duplicates, never a record.
func saveCursor(path string, sent uint64, durable bool) error {
	temp := path + ".new"
	err := writeFile(temp, []byte(strconv.FormatUint(sent, 10)+"\n"), durable)
	if err == nil {
		err = os.Rename(temp, path)
	}
	if err != nil {
		return fmt.Errorf("writing journal cursor: %w", err)
	}
	return nil
}

func writeFile(path string, data []byte, durable bool) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if durable {
		err = errors.Join(err, f.Sync())
	}
	return errors.Join(err, f.Close())
}

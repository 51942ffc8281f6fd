package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
)

// position is how far an exporter has come.
type position struct {
	confirmed uint64 // all records up to it are in the journal
	sent      uint64 // the last record sent, the same or a later one
}

// The cursor file holds confirmed in decimal, then, where it is another, a blank
// and sent, and a newline.

// loadCursor is the beginning where there is no file, or none that can be read.
func loadCursor(path string) (position, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return position{}, nil
	}
	if err != nil {
		return position{}, fmt.Errorf("reading journal cursor: %w", err)
	}
	first, second, two := strings.Cut(strings.TrimSpace(string(data)), " ")
	confirmed, err := strconv.ParseUint(first, 10, 64)
	at := position{confirmed, confirmed}
	if err == nil && two {
		at.sent, err = strconv.ParseUint(second, 10, 64)
	}
	if err != nil || at.sent < at.confirmed {
		return position{}, fmt.Errorf("reading journal cursor %s: it holds no numbers of records", path)
	}
	return at, nil
}

// saveCursor replaces the file in one step. While verdicts are written it is
// not synced, since every sync here would delay theirs: a cursor that a crash
// takes away costs duplicates, never a record.
func saveCursor(path string, at position, durable bool) error {
	text := strconv.FormatUint(at.confirmed, 10)
	if at.sent != at.confirmed {
		text += " " + strconv.FormatUint(at.sent, 10)
	}
	temp := path + ".new"
	err := writeFile(temp, []byte(text+"\n"), durable)
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

package cli

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/phigate/phigate/plugin/audit"
)

// readJournalExport reads systemd's export format
// (https://systemd.io/JOURNAL_EXPORT_FORMATS/): entries of fields, NAME=value on a
// line, or NAME on a line and then the value's length in 8 bytes, little-endian,
// the value and a newline; an empty line ends an entry.
func readJournalExport(in *bufio.Reader) ([]audit.Copied, error) {
	var out []audit.Copied
	fields, size := map[string]string{}, 0
	for {
		line, err := readExportLine(in)
		if errors.Is(err, io.EOF) && line == "" {
			return addEntry(out, fields), nil
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		if line == "" {
			out, fields, size = addEntry(out, fields), map[string]string{}, 0
			continue
		}
		name, value, isText := strings.Cut(line, "=")
		if !isText {
			if value, err = readBinary(in); err != nil {
				return nil, fmt.Errorf("field %.64q: %w", name, err)
			}
		}
		if size += len(name) + len(value); size > maxEntry {
			return nil, fmt.Errorf("an entry of more than %d bytes", maxEntry)
		}
		fields[name] = value
	}
}

// readExportLine reads a line without its newline.
func readExportLine(in *bufio.Reader) (string, error) {
	var line []byte
	for {
		part, err := in.ReadSlice('\n')
		line = append(line, part...)
		if errors.Is(err, bufio.ErrBufferFull) && len(line) <= maxEntry {
			continue
		}
		return strings.TrimSuffix(string(line), "\n"), err
	}
}

func readBinary(in *bufio.Reader) (string, error) {
	var length [8]byte
	if _, err := io.ReadFull(in, length[:]); err != nil {
		return "", errors.New("it is cut off")
	}
	n := binary.LittleEndian.Uint64(length[:])
	if n > maxEntry {
		return "", fmt.Errorf("a value of %d bytes", n)
	}
	value, err := io.ReadAll(io.LimitReader(in, int64(n)+1)) // and its newline
	if err != nil || uint64(len(value)) != n+1 || value[n] != '\n' {
		return "", errors.New("it is cut off")
	}
	return string(value[:n]), nil
}

package journal

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Journal is where entries go, and how they are read back.
type Journal struct {
	Socket string
	// Read is the command that reads it, to which matches are added: journalctl.
	// Where it is empty, what journald drops is not noticed.
	Read []string
}

// At is the journal behind a socket. It can be read back where the socket is the
// node's own or that of a journal namespace (journald.conf(5)).
func At(socket string) Journal {
	j := Journal{Socket: socket}
	switch dir := filepath.Dir(socket); {
	case dir == "/run/systemd/journal":
		j.Read = []string{"journalctl"}
	case strings.HasPrefix(dir, "/run/systemd/journal."):
		j.Read = []string{"journalctl", "--namespace=" + strings.TrimPrefix(dir, "/run/systemd/journal.")}
	}
	return j
}

// readLimit bounds one reading.
const readLimit = 20 * time.Second

// have returns which of the wanted records the journal has, with their leaves. last
// is the newest that was sent: near it one reading finds them all, far behind it
// they are looked for by their numbers.
func (j Journal) have(ctx context.Context, wants []wanted, last uint64) (map[uint64]string, error) {
	if last-wants[0].seq < window+slack {
		return j.newest(ctx, int(last-wants[0].seq)+1+slack)
	}
	var matches []string
	for _, w := range wants {
		matches = append(matches, "PHIGATE_SEQ="+strconv.FormatUint(w.seq, 10))
	}
	return j.stored(ctx, matches)
}

// newest returns which records the newest n entries of phigate's are.
func (j Journal) newest(ctx context.Context, n int) (map[uint64]string, error) {
	return j.stored(ctx, []string{"--lines=" + strconv.Itoa(n)})
}

// stored returns which records journalctl selects, by number, with their leaves.
// It needs no journald: libsystemd is C, and the files' format is not ours to
// follow (ADR 0009).
//
// Only entries of a process of our own user count: journald sets _UID itself, and
// its socket takes entries from everybody.
func (j Journal) stored(ctx context.Context, selects []string) (map[uint64]string, error) {
	ctx, cancel := context.WithTimeout(ctx, readLimit)
	defer cancel()
	args := append(append([]string{}, j.Read[1:]...), "--output=json", "--output-fields=PHIGATE_SEQ,PHIGATE_LEAF", "--quiet", "--no-pager",
		"SYSLOG_IDENTIFIER=phigate", "_UID="+strconv.Itoa(os.Geteuid()))
	cmd := exec.CommandContext(ctx, j.Read[0], append(args, selects...)...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("reading the journal back: %w", err)
	}
	found, err := parseStored(out)
	if err := errors.Join(err, cmd.Wait()); err != nil {
		return nil, fmt.Errorf("reading the journal back: %s: %w", j.Read[0], err)
	}
	return found, nil
}

// maxLine bounds an entry of three fields, in bytes.
const maxLine = 64 << 10

// parseStored reads journalctl's JSON, an object a line. An entry that is none of
// ours, or forged with other fields, counts for nothing.
func parseStored(r io.Reader) (map[uint64]string, error) {
	found := map[uint64]string{}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		var e struct {
			Seq  any `json:"PHIGATE_SEQ"` // a list where somebody sent it twice
			Leaf any `json:"PHIGATE_LEAF"`
		}
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			return nil, errors.New("it wrote no JSON")
		}
		text, _ := e.Seq.(string)
		leaf, _ := e.Leaf.(string)
		if seq, err := strconv.ParseUint(text, 10, 64); err == nil {
			found[seq] = leaf
		}
	}
	return found, lines.Err()
}

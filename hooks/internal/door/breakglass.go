package door

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/phigate/phigate/plugin/ask/judge"
)

// longest bounds the time for which glass stays broken: what is meant to last
// belongs into the policy.
const longest = 24 * time.Hour

// readBreakGlass reads the file that lets containers run which would be refused:
// its first line is the time until which it does (RFC 3339), the second says why. Nil
// without an error: there is none. It must be root's, as the configuration must.
func readBreakGlass(path string, now time.Time) (*judge.BreakGlass, error) {
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	data, err := readOwned(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	first, rest, _ := strings.Cut(string(data), "\n")
	until, err := time.Parse(time.RFC3339, strings.TrimSpace(first))
	if err != nil {
		return nil, fmt.Errorf("%s: its first line is no time such as 2026-12-15T06:00:00Z", path)
	}
	switch {
	case !until.After(now):
		return nil, fmt.Errorf("%s: it ended at %s", path, until.Format(time.RFC3339))
	case until.After(now.Add(longest)):
		return nil, fmt.Errorf("%s: it would last for more than %s", path, longest)
	}
	reason, _, _ := strings.Cut(rest, "\n")
	if reason = strings.TrimSpace(reason); reason == "" {
		reason = "no reason given"
	}
	return &judge.BreakGlass{File: path, Until: until, Reason: reason[:min(len(reason), 500)]}, nil
}

// journalSocket is journald's.
const journalSocket = "/run/systemd/journal/socket"

// admit lets the container run, after that was written down: by phigated where it
// could be reached (noted), else in the journal and in a file that phigated takes into
// its log when it is back. What cannot be written down anywhere does not run.
func admit(u judge.Use, c Config, say Messages, noted bool) error {
	text := fmt.Sprintf("phigate: admitted %s without a verdict in its favour (%s): %s", u.Container, u.BreakGlass.Reason, u.Refused)
	say.Warn(text)
	if noted {
		return nil
	}
	journalErr := toJournal(journalSocket, text, u.Container)
	spoolErr := spool(c.Spool, u)
	if spoolErr != nil {
		say.Warn(fmt.Sprintf("phigate: keeping the use of break-glass: %v", spoolErr))
	}
	if journalErr != nil && spoolErr != nil {
		return fmt.Errorf("%s; and break-glass cannot be recorded: %w", u.Refused, spoolErr)
	}
	return nil
}

// toJournal sends a line in journald's native protocol; none of the values holds a newline.
func toJournal(socket, text, container string) error {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	flat := strings.NewReplacer("\n", " ").Replace
	entry := "MESSAGE=" + flat(text) + "\nMESSAGE_ID=be2c9b1ad0e34f1f9d7f6a1c53e0b7a4\nPRIORITY=2\nSYSLOG_IDENTIFIER=phigate\nPHIGATE_KIND=override\nPHIGATE_CONTAINER_ID=" + flat(container) + "\n"
	return unix.Sendto(fd, []byte(entry), unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, &unix.SockaddrUnix{Name: socket})
}

// spool writes the use into a file of its own, durably and under its name only
// when it is whole.
func spool(folder string, u judge.Use) error {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	data, err := json.Marshal(u)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(folder, ".new-")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // gone by then where all went well
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	name := fmt.Sprintf("%d-%s.json", u.Time.UnixNano(), strings.TrimPrefix(filepath.Base(f.Name()), ".new-"))
	return os.Rename(f.Name(), filepath.Join(folder, name))
}

// Package journal hands the decisions of the log to the systemd journal,
// behind the verdict's back: it reads what the log already holds and never
// stands in the way of a verdict.
//
// The journal is transport and index, not the record of truth. Each decision is
// there at least once, with its number in the log (PHIGATE_SEQ) and the hash of
// its leaf (PHIGATE_LEAF): what journald drops although it has accepted it, killed
// or over its rate limit, is found by reading back and sent again. Its socket is
// open to every local process, so a line in the journal proves nothing by itself.
package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// Field is one line of a journal entry. A name may come more than once.
type Field struct{ Name, Value string }

// Client speaks journald's native protocol
// (https://systemd.io/JOURNAL_NATIVE_PROTOCOL/). It never blocks: where a
// datagram cannot be sent at once, Send says so. Not for concurrent use.
type Client struct {
	fd      int
	address unix.Sockaddr
	buf     []byte
}

// NewClient makes a client of the journal's socket, which need not exist yet
// and may be made anew while the client lives.
func NewClient(socket string) (*Client, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("making journal client: %w", err)
	}
	return &Client{fd: fd, address: &unix.SockaddrUnix{Name: socket}}, nil
}

// Close ends the client.
func (c *Client) Close() error { return unix.Close(c.fd) }

// Send hands over one entry, whole or not at all. EAGAIN means that journald
// does not read at the moment, ENOENT and ECONNREFUSED that it is not there.
func (c *Client) Send(fields []Field) error {
	var err error
	if c.buf, err = appendEntry(c.buf[:0], fields); err != nil {
		return err
	}
	err = unix.Sendto(c.fd, c.buf, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, c.address)
	if errors.Is(err, unix.EMSGSIZE) || errors.Is(err, unix.ENOBUFS) {
		err = c.sendLarge()
	}
	if err != nil {
		return fmt.Errorf("sending to the journal: %w", err)
	}
	return nil
}

// sendLarge passes an entry that no datagram holds as a sealed memory file, as
// the protocol has it.
func (c *Client) sendLarge() error {
	fd, err := unix.MemfdCreate("phigate-journal", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return fmt.Errorf("making memory file: %w", err)
	}
	defer unix.Close(fd)
	for rest := c.buf; len(rest) > 0; {
		n, err := unix.Write(fd, rest)
		if err != nil {
			return fmt.Errorf("filling memory file: %w", err)
		}
		rest = rest[n:]
	}
	seals := unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE | unix.F_SEAL_SEAL
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, seals); err != nil {
		return fmt.Errorf("sealing memory file: %w", err)
	}
	return unix.Sendmsg(c.fd, nil, unix.UnixRights(fd), c.address, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
}

// appendEntry writes the entry as journald reads it: NAME=value where the value
// holds no newline, else the name, a newline, the length in eight bytes, little
// endian, the value and a newline, so that no value can begin a field.
func appendEntry(buf []byte, fields []Field) ([]byte, error) {
	for _, f := range fields {
		if !validName(f.Name) {
			return buf, fmt.Errorf("sending to the journal: %q is no field name", f.Name)
		}
		buf = append(buf, f.Name...)
		if strings.ContainsRune(f.Value, '\n') {
			buf = append(buf, '\n')
			buf = binary.LittleEndian.AppendUint64(buf, uint64(len(f.Value)))
		} else {
			buf = append(buf, '=')
		}
		buf = append(buf, f.Value...)
		buf = append(buf, '\n')
	}
	return buf, nil
}

// validName follows journald's journal_field_valid: capitals, digits and
// underscores, no digit and no underscore first, at most 64 bytes.
func validName(name string) bool {
	if name == "" || len(name) > 64 || name[0] < 'A' || name[0] > 'Z' {
		return false
	}
	for _, r := range name {
		if (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_' {
			return false
		}
	}
	return true
}

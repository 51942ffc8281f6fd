package judge

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// SocketName is the socket's name, in the folder of the commands' socket.
const SocketName = "gate.sock"

// Ask asks the phigated behind the socket. An error means that there is no
// answer: phigated is not there, is late, talks nonsense or is not root's.
func Ask(socket string, q Question, config []byte, root *os.File) (Answer, error) {
	end := time.Now().Add(q.Within)
	if err := trusted(socket); err != nil {
		return Answer{}, explain(socket, q.Within, err)
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return Answer{}, fmt.Errorf("asking phigated: %w", err)
	}
	c := &connection{fd: fd, end: end}
	defer unix.Close(fd)
	a, err := c.ask(socket, q, config, root)
	if err != nil {
		return Answer{}, explain(socket, q.Within, err)
	}
	return a, nil
}

// trusted: a socket that another user owns, or may replace, is not phigated's.
func trusted(socket string) error {
	var st unix.Stat_t
	if err := unix.Lstat(socket, &st); err != nil {
		return err
	}
	switch {
	case st.Mode&unix.S_IFMT != unix.S_IFSOCK:
		return errors.New("it is no socket")
	case st.Uid != 0:
		return fmt.Errorf("the socket belongs to user %d, not to root", st.Uid)
	}
	if err := unix.Stat(filepath.Dir(socket), &st); err != nil {
		return err
	}
	if st.Uid != 0 || st.Mode&0o022 != 0 && st.Mode&unix.S_ISVTX == 0 {
		return errors.New("others than root may write to the socket's folder")
	}
	return nil
}

// connection is a blocking socket on which every step ends in time.
type connection struct {
	fd  int
	end time.Time
}

var errLate = errors.New("no answer in time")

func (c *connection) ask(socket string, q Question, config []byte, root *os.File) (Answer, error) {
	if err := c.limit(unix.SO_SNDTIMEO); err != nil { // connect(2) waits for a full backlog
		return Answer{}, err
	}
	if err := retry(func() error { return unix.Connect(c.fd, &unix.SockaddrUnix{Name: socket}) }); err != nil {
		return Answer{}, err
	}
	peer, err := unix.GetsockoptUcred(c.fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return Answer{}, err
	}
	if peer.Uid != 0 {
		return Answer{}, fmt.Errorf("user %d listens there, not root", peer.Uid)
	}
	frame, err := q.frame(config)
	if err != nil {
		return Answer{}, err
	}
	if err := c.send(append(frame, config...), unix.UnixRights(int(root.Fd()))); err != nil {
		return Answer{}, err
	}
	return readAnswer(c)
}

// send writes all of it, the rights with the first byte.
func (c *connection) send(data, rights []byte) error {
	for len(data) > 0 {
		if err := c.limit(unix.SO_SNDTIMEO); err != nil {
			return err
		}
		n, err := unix.SendmsgN(c.fd, data, rights, nil, unix.MSG_NOSIGNAL)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return err
		}
		data, rights = data[n:], nil
	}
	return nil
}

// Read implements io.Reader.
func (c *connection) Read(p []byte) (int, error) {
	for {
		if err := c.limit(unix.SO_RCVTIMEO); err != nil {
			return 0, err
		}
		n, err := unix.Read(c.fd, p)
		if err == unix.EINTR {
			continue
		}
		if n == 0 && err == nil {
			return 0, io.EOF
		}
		return max(n, 0), err
	}
}

// limit bounds the next call by what is left of the time.
func (c *connection) limit(option int) error {
	left := time.Until(c.end)
	if left < time.Millisecond {
		return errLate
	}
	tv := unix.NsecToTimeval(left.Nanoseconds())
	return unix.SetsockoptTimeval(c.fd, unix.SOL_SOCKET, option, &tv)
}

// retry goes on where a signal came between: Go's own scheduler sends some.
func retry(call func() error) error {
	for {
		if err := call(); err != unix.EINTR {
			return err
		}
	}
}

// explain adds the next step to what the system says.
func explain(socket string, within time.Duration, err error) error {
	switch {
	case errors.Is(err, errLate), errors.Is(err, syscall.EAGAIN), errors.Is(err, syscall.EINPROGRESS):
		return fmt.Errorf("phigated at %s gave no answer within %s", socket, within)
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("phigated does not answer at %s: is it running? (systemctl status phigated)", socket)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return fmt.Errorf("phigated at %s ended before it answered", socket)
	}
	return fmt.Errorf("asking phigated at %s: %w", socket, err)
}

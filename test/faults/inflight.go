package faults

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// Pending says whether something has come for the process that it has not taken up: a
// connection to its socket at path, or bytes on one that leads there. Of a process that
// is stopped it tells that a request is in flight.
func Pending(pid int, path string) (bool, error) {
	handle, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return false, err
	}
	defer unix.Close(handle)
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	names, err := os.ReadDir(dir)
	if err != nil {
		return false, err
	}
	for _, name := range names {
		number, err := strconv.Atoi(name.Name())
		if err != nil {
			continue
		}
		fd, err := unix.PidfdGetfd(handle, number, 0)
		if errors.Is(err, unix.EBADF) { // closed meanwhile
			continue
		}
		if err != nil {
			return false, err
		}
		found := leads(fd, path) && readable(fd)
		unix.Close(fd)
		if found {
			return true, nil
		}
	}
	return false, nil
}

// leads says whether the descriptor is the socket at path, or connected to it.
func leads(fd int, path string) bool {
	own, err := unix.Getsockname(fd)
	if err == nil && named(own, path) {
		listens, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
		return err == nil && listens == 1
	}
	peer, err := unix.Getpeername(fd)
	return err == nil && named(peer, path)
}

func named(a unix.Sockaddr, path string) bool {
	u, ok := a.(*unix.SockaddrUnix)
	return ok && u.Name == path
}

func readable(fd int) bool {
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	n, err := unix.Poll(fds, 0)
	return err == nil && n == 1 && fds[0].Revents&unix.POLLIN != 0
}

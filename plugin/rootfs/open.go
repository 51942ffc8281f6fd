package rootfs

import (
	"errors"
	"io"
	"io/fs"
	"strconv"

	"golang.org/x/sys/unix"
)

var (
	errChanged  = errors.New("changed while it was read")
	errShorter  = errors.New("became shorter while it was read")
	errMetadata = errors.New("this layer holds the file's metadata alone (overlayfs metacopy)")
	errMounted  = errors.New("another file system is mounted here")
)

// openBelow opens one name of a folder, without following it and without
// crossing a mount point. Kernels before 5.6 have no openat2; there the device
// numbers of folders tell mounts apart.
func openBelow(dir int, name string, flags int) (int, error) {
	how := unix.OpenHow{
		Flags:   uint64(flags | unix.O_NOFOLLOW | unix.O_CLOEXEC),
		Resolve: unix.RESOLVE_NO_XDEV | unix.RESOLVE_NO_SYMLINKS,
	}
	for {
		fd, err := unix.Openat2(dir, name, &how)
		switch err {
		case unix.EINTR, unix.EAGAIN:
			continue
		case unix.EXDEV:
			return -1, errMounted
		case unix.ENOSYS:
			return openatPlain(dir, name, flags)
		}
		return fd, err
	}
}

func openatPlain(dir int, name string, flags int) (int, error) {
	for {
		fd, err := unix.Openat(dir, name, flags|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		if err != unix.EINTR {
			return fd, err
		}
	}
}

// openFolder opens a folder for its names, without touching its access time
// where that is allowed.
func openFolder(dir int, name string) (int, error) {
	fd, err := openBelow(dir, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOATIME)
	if err == unix.EPERM {
		fd, err = openBelow(dir, name, unix.O_RDONLY|unix.O_DIRECTORY)
	}
	return fd, err
}

// openRegular opens a file that was seen as want. The name is first pinned
// with O_PATH, which opens nothing; only when what was pinned is that very
// regular file is it opened for reading. So no device and no FIFO is ever
// opened, whatever is swapped in meanwhile.
func openRegular(dir int, name string, want *unix.Stat_t, attrs string) (File, error) {
	pin, err := openBelow(dir, name, unix.O_PATH)
	if err != nil {
		return nil, err
	}
	defer unix.Close(pin)
	if _, err := same(pin, want); err != nil {
		return nil, err
	}
	fd, err := openPinned(pin, dir, name)
	if err != nil {
		return nil, err
	}
	f := &diskFile{fd: fd}
	if f.size, err = same(fd, want); err != nil {
		f.Close()
		return nil, err
	}
	if attrs != "" && hasAttr(fd, attrs+"metacopy") {
		f.Close()
		return nil, errMetadata
	}
	return f, nil
}

// openPinned opens the pinned file for reading. Where /proc is not mounted the
// name is opened instead; O_NONBLOCK then keeps a FIFO from blocking.
func openPinned(pin, dir int, name string) (int, error) {
	const flags = unix.O_RDONLY | unix.O_NONBLOCK | unix.O_NOCTTY | unix.O_CLOEXEC
	link := "/proc/self/fd/" + strconv.Itoa(pin)
	for _, f := range []int{flags | unix.O_NOATIME, flags} {
		fd, err := unix.Open(link, f, 0)
		for err == unix.EINTR {
			fd, err = unix.Open(link, f, 0)
		}
		switch err {
		case unix.EPERM:
			continue
		case unix.ENOENT:
			return openBelow(dir, name, flags)
		}
		return fd, err
	}
	return -1, unix.EPERM
}

// same fails unless the file is the regular one that was seen as want. It gives its size.
func same(fd int, want *unix.Stat_t) (size int64, err error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return 0, err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG || st.Ino != want.Ino || st.Dev != want.Dev {
		return 0, errChanged
	}
	return st.Size, nil
}

func hasAttr(fd int, name string) bool {
	_, err := unix.Fgetxattr(fd, name, nil)
	return err == nil
}

// diskFile reads by offset, so that looking for holes moves nothing.
type diskFile struct {
	fd   int
	pos  int64
	size int64 // when it was opened: what is appended later is not read
}

func (f *diskFile) ReadAt(p []byte, off int64) (int, error) {
	if f.fd < 0 {
		return 0, fs.ErrClosed
	}
	total := 0
	for total < len(p) {
		n, err := unix.Pread(f.fd, p[total:], off+int64(total))
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return total, err
		}
		if n == 0 {
			return total, io.EOF
		}
		total += n
	}
	return total, nil
}

func (f *diskFile) Forward() bool { return false }

func (f *diskFile) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	n, err := f.ReadAt(p, f.pos)
	f.pos += int64(n)
	if n > 0 && err == io.EOF {
		err = nil
	}
	return n, err
}

func (f *diskFile) NextData(off int64) (int64, int64, error) {
	if off >= f.size {
		return f.size, f.size, io.EOF
	}
	start, err := unix.Seek(f.fd, off, unix.SEEK_DATA)
	switch err {
	case nil:
	case unix.ENXIO:
		var st unix.Stat_t
		if err := unix.Fstat(f.fd, &st); err != nil {
			return 0, 0, err
		}
		if st.Size < f.size {
			return 0, 0, errShorter
		}
		return f.size, f.size, io.EOF
	case unix.EINVAL, unix.EOPNOTSUPP:
		return off, f.size, nil
	default:
		return 0, 0, err
	}
	end, err := unix.Seek(f.fd, start, unix.SEEK_HOLE)
	if err != nil {
		end = f.size
	}
	return start, min(end, f.size), nil
}

func (f *diskFile) Close() error {
	if f.fd < 0 {
		return fs.ErrClosed
	}
	fd := f.fd
	f.fd = -1
	return unix.Close(fd)
}

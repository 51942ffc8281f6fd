package bundle

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// maxLine bounds a line of mountinfo: the kernel takes at most a page of mount
// options, and writes each byte as up to four.
const maxLine = 64 << 10

// mountOf is the line of /proc/self/mountinfo (proc(5)) about the mount whose
// root f is. phigated may live in another mount namespace, where the same mount
// has another line or none.
func mountOf(f *os.File) (string, error) {
	id, isRoot, err := mountID(int(f.Fd()))
	if err != nil || !isRoot {
		return "", err
	}
	info, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return "", err
	}
	defer info.Close()
	return findMount(info, id)
}

func findMount(info io.Reader, id uint64) (string, error) {
	want := append(strconv.AppendUint(nil, id, 10), ' ')
	lines := bufio.NewScanner(info)
	lines.Buffer(make([]byte, 0, 4096), maxLine)
	for lines.Scan() {
		if bytes.HasPrefix(lines.Bytes(), want) {
			return lines.Text(), nil
		}
	}
	if err := lines.Err(); err != nil {
		return "", fmt.Errorf("reading mountinfo: %w", err)
	}
	return "", errors.New("its mount is not in mountinfo")
}

// mountID says in which mount something lies, and whether it is that mount's
// root. Linux before 5.8 tells the mount in fdinfo alone; there the folder above
// lies in another one.
func mountID(fd int) (id uint64, isRoot bool, err error) {
	var st unix.Statx_t
	err = unix.Statx(fd, "", unix.AT_EMPTY_PATH|unix.AT_SYMLINK_NOFOLLOW, unix.STATX_MNT_ID, &st)
	if err == nil && st.Mask&unix.STATX_MNT_ID != 0 && st.Attributes_mask&unix.STATX_ATTR_MOUNT_ROOT != 0 {
		return st.Mnt_id, st.Attributes&unix.STATX_ATTR_MOUNT_ROOT != 0, nil
	}
	if id, err = fdMount(fd); err != nil {
		return 0, false, err
	}
	above, err := unix.Openat(fd, "..", unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0, false, err
	}
	defer unix.Close(above)
	other, err := fdMount(above)
	return id, other != id, err
}

func fdMount(fd int) (uint64, error) {
	data, err := os.ReadFile("/proc/self/fdinfo/" + strconv.Itoa(fd))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(data)) {
		if value, ok := strings.CutPrefix(line, "mnt_id:"); ok {
			return strconv.ParseUint(strings.TrimSpace(value), 10, 64)
		}
	}
	return 0, errors.New("fdinfo names no mount")
}

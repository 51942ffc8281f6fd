package faults

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Volume is a small ext4 of its own, on a loop device whose file is in memory.
type Volume struct {
	Dir string // where it is mounted

	file   string
	thaw   *exec.Cmd // thaws it should we not
	filler string
}

// hangsFor is for how many seconds it hangs at most, whatever becomes of the test.
const hangsFor = "30"

// NewVolume makes one of so many bytes and mounts it at dir, which is made. The file lies beside it.
func NewVolume(dir string, size int64) (*Volume, error) {
	below := dir + ".memory"
	v := &Volume{Dir: dir, file: filepath.Join(below, "ext4"), filler: filepath.Join(dir, "filler")}
	for _, d := range []string{dir, below} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return nil, err
		}
	}
	if err := unix.Mount("tmpfs", below, "tmpfs", 0, "mode=0700"); err != nil {
		return nil, fmt.Errorf("mounting %s: %w", below, err)
	}
	f, err := os.Create(v.file)
	if err == nil {
		err = errors.Join(f.Truncate(size), f.Close())
	}
	if err == nil {
		err = run("mkfs.ext4", "-q", "-F", "-m", "0", v.file)
	}
	if err == nil {
		err = v.Mount()
	}
	if err != nil {
		return nil, errors.Join(err, unix.Unmount(below, unix.MNT_DETACH))
	}
	return v, nil
}

// Mount mounts it, after Break again.
func (v *Volume) Mount() error { return run("mount", "-o", "loop", v.file, v.Dir) }

// Unmount unmounts it. It fails while a file in it is open.
func (v *Volume) Unmount() error { return run("umount", v.Dir) }

// Remove unmounts all. The kernel lets go of a loop device's file a moment after its
// last mount has gone.
func (v *Volume) Remove() error {
	below := func() error { return unix.Unmount(filepath.Dir(v.file), 0) }
	return errors.Join(v.Resume(), soon(10*time.Second, v.Unmount), soon(10*time.Second, below))
}

// Hang freezes it: who writes to it waits, as for a disk that does not answer. Resume
// ends that; should this process die, another does soon.
func (v *Volume) Hang() error {
	v.thaw = exec.Command("/bin/sh", "-c", `sleep "$1"; exec fsfreeze --unfreeze "$2"`, "sh", hangsFor, v.Dir)
	v.thaw.SysProcAttr = &unix.SysProcAttr{Setpgid: true}
	if err := v.thaw.Start(); err != nil {
		return err
	}
	return run("fsfreeze", "--freeze", v.Dir)
}

// Resume has it answer again.
func (v *Volume) Resume() error {
	if v.thaw == nil {
		return nil
	}
	_ = unix.Kill(-v.thaw.Process.Pid, unix.SIGKILL)
	_ = v.thaw.Wait() // that it was killed
	v.thaw = nil
	return run("fsfreeze", "--unfreeze", v.Dir)
}

// Break has each write and sync fail from now on with EIO, as those of a disk that is
// gone, until it is mounted anew (EXT4_IOC_SHUTDOWN, fs/ext4/ioctl.c).
func (v *Volume) Break() error {
	const ioctlShutdown, withoutLog = 0x8004587d, 2
	f, err := os.Open(v.Dir)
	if err != nil {
		return err
	}
	err = unix.IoctlSetPointerInt(int(f.Fd()), ioctlShutdown, withoutLog)
	if err != nil {
		err = fmt.Errorf("shutting %s down: %w", v.Dir, err)
	}
	return errors.Join(err, f.Close())
}

// Fill leaves no free block in it. What is written into the rest of a file's last
// block still fits.
func (v *Volume) Fill() error {
	f, err := os.OpenFile(v.filler, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	for chunk := make([]byte, 64<<10); err == nil; {
		if _, err = f.Write(chunk); errors.Is(err, unix.ENOSPC) && len(chunk) > 512 {
			chunk, err = chunk[:len(chunk)/2], nil
		}
	}
	if !errors.Is(err, unix.ENOSPC) {
		return errors.Join(err, f.Close())
	}
	return errors.Join(f.Sync(), f.Close())
}

// Free takes back what Fill took.
func (v *Volume) Free() error { return os.Remove(v.filler) }

func run(name string, args ...string) error {
	// Debian's tools for file systems are in /usr/sbin, which a bare PATH leaves out.
	path := name
	if found, err := exec.LookPath("/usr/sbin/" + name); err == nil {
		path = found
	} else if found, err := exec.LookPath("/sbin/" + name); err == nil {
		path = found
	}
	out, err := exec.Command(path, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("running %s: %w: %s", name, err, strings.TrimSpace(string(out)))
	}
	return nil
}

// field is the number behind a name in lines of "name number".
func field(text, name string) (int, error) {
	for line := range strings.Lines(text) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), " "); ok && key == name {
			return strconv.Atoi(value)
		}
	}
	return 0, fmt.Errorf("%s is not told", name)
}

// soon tries until it works, for at most that long.
func soon(within time.Duration, try func() error) error {
	var err error
	for end := time.Now().Add(within); ; time.Sleep(20 * time.Millisecond) {
		if err = try(); err == nil || time.Now().After(end) {
			return err
		}
	}
}

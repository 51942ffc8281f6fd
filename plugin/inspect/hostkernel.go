package inspect

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/phigate/phigate/policy"
)

// maxSetting bounds what is read of a file of the kernel, in bytes. A core
// pattern has 127 at most (core(5)).
const maxSetting = 1024

// kernel reads how the host's kernel is set. A module that is not there is off;
// one that cannot be asked makes all of it unknown.
func (h *Host) kernel() (k policy.Kernel, ok bool) {
	armor, err := h.setting("sys/module/apparmor/parameters/enabled")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return k, false
	}
	k.AppArmor = armor == "Y"
	// The folder of selinuxfs exists with the module; it is empty where SELinux
	// was disabled at boot, since nothing is mounted on it.
	_, err = os.Stat(filepath.Join(h.Root, "sys/fs/selinux/enforce"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return k, false
	}
	k.SELinux = err == nil
	k.CorePattern, err = h.corePattern()
	return k, err == nil
}

// corePattern is where the kernel writes core dumps; empty: nowhere. An empty
// pattern to which the kernel adds the process ID is a file name after all, and
// a kernel that was built without core dumps has no pattern.
func (h *Host) corePattern() (string, error) {
	pattern, err := h.setting("proc/sys/kernel/core_pattern")
	if errors.Is(err, fs.ErrNotExist) {
		_, err = os.Stat(filepath.Join(h.Root, "proc/sys/kernel"))
		return "", err
	}
	if err != nil || pattern != "" {
		return pattern, err
	}
	if withPID, err := h.setting("proc/sys/kernel/core_uses_pid"); err != nil || withPID != "0" {
		return ".%p", err
	}
	return "", nil
}

// setting is the content of a small file of the kernel.
func (h *Host) setting(name string) (string, error) {
	f, err := os.Open(filepath.Join(h.Root, name))
	if err != nil {
		return "", err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxSetting))
	return strings.TrimSpace(string(data)), err
}

package inspect

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/phigate/phigate/policy"
)

// hostTree makes files of a host's root; a name that ends with a slash is a folder.
func hostTree(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, content := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if name[len(name)-1] == '/' {
			if err := os.MkdirAll(path, 0o755); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestHostKernel(t *testing.T) {
	const pattern, withPID = "proc/sys/kernel/core_pattern", "proc/sys/kernel/core_uses_pid"
	for name, tt := range map[string]struct {
		files   map[string]string
		want    policy.Kernel
		unknown bool
	}{
		"bare":           {map[string]string{pattern: "core\n"}, policy.Kernel{CorePattern: "core"}, false},
		"apparmor":       {map[string]string{pattern: "core", "sys/module/apparmor/parameters/enabled": "Y\n"}, policy.Kernel{AppArmor: true, CorePattern: "core"}, false},
		"apparmor_off":   {map[string]string{pattern: "core", "sys/module/apparmor/parameters/enabled": "N\n"}, policy.Kernel{CorePattern: "core"}, false},
		"selinux":        {map[string]string{pattern: "|/x %p\n", "sys/fs/selinux/enforce": "0"}, policy.Kernel{SELinux: true, CorePattern: "|/x %p"}, false},
		"selinux_off":    {map[string]string{pattern: "core", "sys/fs/selinux/": ""}, policy.Kernel{CorePattern: "core"}, false},
		"no_dumps":       {map[string]string{pattern: "\n", withPID: "0\n"}, policy.Kernel{}, false},
		"dot_pid":        {map[string]string{pattern: "\n", withPID: "1\n"}, policy.Kernel{CorePattern: ".%p"}, false},
		"without_dumps":  {map[string]string{"proc/sys/kernel/": ""}, policy.Kernel{}, false},
		"no_proc":        {map[string]string{"sys/": ""}, policy.Kernel{}, true},
		"cannot_be_read": {map[string]string{pattern + "/": ""}, policy.Kernel{}, true},
	} {
		t.Run(name, func(t *testing.T) {
			h := &Host{Root: hostTree(t, tt.files)}
			if got, ok := h.kernel(); ok == tt.unknown || ok && got != tt.want {
				t.Errorf("got %+v, known %t; want %+v, unknown %t", got, ok, tt.want, tt.unknown)
			}
		})
	}
	if _, ok := (&Host{Root: "/"}).kernel(); !ok {
		t.Error("this machine's own kernel cannot be asked")
	}
}

// TestHostStorage follows devices of a made-up sysfs.
func TestHostStorage(t *testing.T) {
	const block = "sys/devices/virtual/block/"
	root := hostTree(t, map[string]string{
		"sys/dev/block/":                  "",
		block + "plain/slaves/":           "",
		block + "plain/plain1/partition":  "1",
		block + "crypt/dm/uuid":           "CRYPT-LUKS2-0123-data\n",
		block + "crypt/slaves/":           "",
		block + "volume/dm/uuid":          "LVM-0123\n",
		block + "volume/slaves/":          "",
		block + "half/dm/uuid":            "LVM-4567\n",
		block + "half/slaves/":            "",
		block + "loop0/loop/backing_file": "/srv/x",
		block + "loop0/slaves/":           "",
		block + "claims/dm/uuid":          "LVM-CRYPT-\n",
		block + "claims/slaves/":          "",
		block + "round/slaves/":           "",
		block + "bare/size":               "0",
		block + "overloop/slaves/":        "",
	})
	link := func(from, to string) {
		t.Helper()
		if err := os.Symlink(to, filepath.Join(root, from)); err != nil {
			t.Fatal(err)
		}
	}
	link(block+"volume/slaves/crypt", "../../crypt")
	link(block+"half/slaves/crypt", "../../crypt")
	link(block+"half/slaves/plain1", "../../plain/plain1")
	link(block+"round/slaves/round", "../../round")
	link(block+"overloop/slaves/crypt", "../../crypt")
	link(block+"overloop/slaves/loop0", "../../loop0")
	h := &Host{Root: root}
	for name, want := range map[string]policy.Storage{
		"plain": policy.StoragePlain, "plain/plain1": policy.StoragePlain, "crypt": policy.StorageEncrypted, "volume": policy.StorageEncrypted,
		"half": policy.StoragePlain, "loop0": policy.StorageUnknown, "claims": policy.StoragePlain, "round": policy.StorageUnknown,
		"bare": policy.StorageUnknown, "overloop": policy.StorageUnknown, "absent": policy.StorageUnknown,
	} {
		if got := h.storage(filepath.Join(root, block, name), 0); got != want {
			t.Errorf("%s is %d, want %d", name, got, want)
		}
	}
	real := (&Host{Root: "/"}).Storage(t.Context(), []string{"/proc", "/nowhere/at/all"})
	if real["/proc"] != policy.StorageUnknown || real["/nowhere/at/all"] != policy.StorageUnknown {
		t.Errorf("a file system without a device has storage %v", real)
	}
}

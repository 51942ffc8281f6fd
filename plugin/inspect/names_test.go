package inspect

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/phigate/phigate/plugin/rootfs"
	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/detect/filename"
	"github.com/phigate/phigate/policy/detect/settings"
)

// TestNamesAreJudgedAsTheContainerSeesThem: a bit that an upper layer takes away
// violates nothing, and neither does a file that it deletes.
func TestNamesAreJudgedAsTheContainerSeesThem(t *testing.T) {
	s := store(t)
	lower, upper := t.TempDir(), t.TempDir()
	for _, name := range []string{"usr/bin/sudo", "usr/bin/tool", "usr/bin/nmap"} {
		write(t, filepathIn(t, lower, name), "#!")
		must(t, os.Chmod(filepath.Join(lower, name), 0o755|os.ModeSetuid))
	}
	must(t, os.Symlink("/dev/null", filepathIn(t, lower, "var/log/audit.log")))
	must(t, os.MkdirAll(filepath.Join(lower, "srv"), 0o755))
	must(t, os.Chmod(filepath.Join(lower, "srv"), 0o777))
	write(t, filepathIn(t, upper, "usr/bin/sudo"), "#!")
	must(t, os.Chmod(filepath.Join(upper, "usr/bin/sudo"), 0o755))
	entry(t, upper, "-usr/bin/nmap")
	must(t, os.MkdirAll(filepath.Join(upper, "srv"), 0o755))

	all := []string{}
	catalogue := map[string]policy.Info{}
	for _, d := range []func() policy.Info{
		func() policy.Info { return filename.Setuid().Info }, func() policy.Info { return filename.Tools().Info },
		func() policy.Info { return filename.WorldWritable().Info }, func() policy.Info { return settings.Logging().Info },
	} {
		catalogue[d().ID] = d()
		all = append(all, d().ID)
	}
	var keys []string
	for i, d := range []string{lower, upper} {
		keys = append(keys, []string{"sha256:0", "sha256:1"}[i])
		scanTree(t, s, keys[i], rootfs.Layer(d), filename.Setuid(), filename.Tools(), filename.WorldWritable(), settings.Logging())
	}
	for name, tt := range map[string]struct {
		layers []string
		want   map[string][]string
	}{
		"lower_alone": {keys[:1], map[string][]string{
			"setuid-program":  {"0 /usr/bin/nmap", "0 /usr/bin/sudo", "0 /usr/bin/tool"},
			"extraneous-tool": {"0 /usr/bin/nmap"}, "world-writable": {"0 /srv"}, "log-suppressed": {"0 /var/log/audit.log"},
		}},
		"both": {keys, map[string][]string{
			"setuid-program": {"0 /usr/bin/tool"}, "extraneous-tool": {}, "world-writable": {}, "log-suppressed": {"0 /var/log/audit.log"},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			r := (&Files{Store: s}).Inspect(t.Context(), subject(tt.layers...), &policy.Policy{Catalogue: catalogue})
			got := map[string][]string{}
			for _, id := range all {
				got[id] = places(r, id)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

// filepathIn is a path below a folder, whose own folders are made.
func filepathIn(t *testing.T, root, name string) string {
	t.Helper()
	full := filepath.Join(root, name)
	must(t, os.MkdirAll(filepath.Dir(full), 0o755))
	return full
}

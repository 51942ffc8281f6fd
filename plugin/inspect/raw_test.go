package inspect

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/phigate/phigate/plugin/rootfs"
)

// TestRawBytesOfContainers: where a container's own bytes are worth a look they are
// looked at, in the tree and within archives, also of kinds that are not opened.
func TestRawBytesOfContainers(t *testing.T) {
	const gap = "\x00some bytes between\x00"
	access := "\x00\x01\x00\x00Standard Jet DB\x00" + gap + "MARK" + gap
	sqlite := "SQLite format 3\x00" + gap + "MARK" + gap // damaged, and looked at all the same
	d := t.TempDir()
	write(t, d+"/a.mdb", access)
	write(t, d+"/b.db", sqlite)
	write(t, d+"/c.tar.gz", string(gzipped(t, tarred(t, "a.mdb", access, "b.db", sqlite))))
	write(t, d+"/d.gz", string(gzipped(t, []byte(access))))
	facts := scanTree(t, store(t), "k", rootfs.Dir(d), marker("mark", nil))
	want := []string{"/a.mdb", "/b.db", "/c.tar.gz!a.mdb", "/c.tar.gz!b.db", "/d.gz!d"}
	if diff := cmp.Diff(want, fullPaths(facts.Findings)); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	if len(facts.Skipped) != len(want) {
		t.Errorf("%d skipped, want each container once: %v", len(facts.Skipped), reasons(facts))
	}
}

package detecttest

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/detect"
)

// Fuzz gives a detector any bytes, whole and in pieces: it must not crash, and
// must find the same, within the file. The anchors are compiled once: that
// costs more than a run.
func Fuzz(f *testing.F, d detect.Detector, seeds ...string) {
	for i, seed := range seeds {
		f.Add([]byte(seed), uint8(3+20*i))
	}
	scan := scanOf(d)
	f.Fuzz(func(t *testing.T, content []byte, size uint8) {
		whole := run(scan, "/phi/a", content)
		for _, s := range whole.Skipped {
			if s.Kind == policy.Undecided {
				t.Error("the detector crashed")
			}
		}
		for _, found := range whole.Findings {
			if found.Where.Offset < 0 || found.Where.Offset > int64(len(content)) {
				t.Errorf("a finding at %d of %d bytes", found.Where.Offset, len(content))
			}
		}
		parts := run(scan, "/phi/a", content, int(size)+1)
		if diff := cmp.Diff(whole, parts); diff != "" {
			t.Errorf("pieces of %d bytes change the result (-whole +parts):\n%s", int(size)+1, diff)
		}
	})
}

package node

import (
	"cmp"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
)

// newest is the containerd that is tested where nothing else is asked for. For
// each version there is a module, the folder containerd-<version>.
const newest = "2.4.2"

// Version is that of the containerd that the nodes run: what
// PHIGATE_CONTAINERD_VERSION says, or the newest.
func Version() string { return cmp.Or(os.Getenv("PHIGATE_CONTAINERD_VERSION"), newest) }

// AtLeast says whether containerd is of that version or a later one.
func AtLeast(major, minor int) bool {
	a, b, _ := strings.Cut(Version(), ".")
	b, _, _ = strings.Cut(b, ".")
	gotMajor, err := strconv.Atoi(a)
	if err != nil {
		panic(fmt.Sprintf("version %q of containerd cannot be read", Version()))
	}
	gotMinor, err := strconv.Atoi(b)
	if err != nil {
		panic(fmt.Sprintf("version %q of containerd cannot be read", Version()))
	}
	return gotMajor > major || gotMajor == major && gotMinor >= minor
}

// NeedsValidate skips a test of what containerd has from 2.2 on: NRI's
// ValidateContainerAdjustment, and the validator that refuses containers while a
// required plugin is absent. Below, a plugin that is gone is not asked, and the
// container runs.
func NeedsValidate(t *testing.T) {
	t.Helper()
	Needs(t, 2, 2, "below 2.2 there is no ValidateContainerAdjustment and no required_plugins: NRI is fail-open")
}

// Needs skips a test where containerd is older, and says what is missing there.
func Needs(t *testing.T, major, minor int, why string) {
	t.Helper()
	if !AtLeast(major, minor) {
		t.Skipf("containerd %s: %s", Version(), why)
	}
}

// Package filename holds the detectors that judge what a file is called, what
// its mode allows and where a link leads. They open nothing.
package filename

import (
	"slices"
	"strings"

	"github.com/phigate/phigate/policy/detect"
)

// programFolders are where programs lie that are called by their name.
var programFolders = []string{"/bin", "/sbin", "/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin", "/opt/bin"}

// program is the name of the program that an entry is; empty: none.
func program(e detect.Entry) string {
	if !slices.Contains(programFolders, e.Dir()) {
		return ""
	}
	return e.Base()
}

// ofBusyBox says whether a link leads to BusyBox: then it is one of its applets.
func ofBusyBox(e detect.Entry) bool {
	return e.Kind == detect.Link && strings.HasSuffix(e.Link, "busybox")
}

// executable says whether an entry is a file that can be run.
func executable(e detect.Entry) bool { return e.Kind == detect.File && e.Mode&0o111 != 0 }

package filename

import (
	"strings"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/detect"
	"github.com/phigate/phigate/policy/hipaa"
)

// WorldWritable finds files and folders that every user can change.
func WorldWritable() detect.Detector {
	return detect.Detector{
		Info: policy.Info{
			ID:       "world-writable",
			Aliases:  []string{"SEC-011"},
			Title:    "File or folder that everybody can change",
			Cites:    []hipaa.Citation{hipaa.Integrity},
			Severity: policy.Medium,
			Default:  policy.Audit,
			Visible:  true,
			Rationale: "ePHI must be protected from improper alteration (164.312(c)(1)). What everybody can write, any program of the container " +
				"replaces, whoever it runs as; in a folder without the sticky bit that is true of every file.",
			Fix: "Take the bit away (chmod o-w), or set the sticky bit on folders that several users share.",
		},
		Name: worldWritable,
	}
}

const stickyBit = 0o1000

func worldWritable(e detect.Entry) string {
	if e.Mode&0o002 == 0 || shared(e.Path) {
		return ""
	}
	switch e.Kind {
	case detect.File:
		return "File that everybody can change"
	case detect.Folder:
		if e.Mode&stickyBit == 0 {
			return "Folder that everybody can change"
		}
	}
	return ""
}

// shared are the folders for everybody's short-lived files, and what runtimes
// mount over.
func shared(path string) bool {
	for _, dir := range []string{"/tmp", "/var/tmp", "/dev", "/proc", "/sys", "/run/lock", "/var/lock"} {
		if path == dir || strings.HasPrefix(path, dir+"/") {
			return true
		}
	}
	return false
}

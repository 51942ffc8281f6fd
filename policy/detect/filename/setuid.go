package filename

import (
	"slices"
	"strings"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/detect"
	"github.com/phigate/phigate/policy/hipaa"
)

// Setuid finds programs that give their caller rights, beyond those that every
// distribution has.
func Setuid() detect.Detector {
	return detect.Detector{
		Info: policy.Info{
			ID:       "setuid-program",
			Aliases:  []string{"SEC-010"},
			Title:    "Program that gives its caller rights",
			Cites:    []hipaa.Citation{hipaa.AccessControl},
			Controls: []policy.Control{{Benchmark: "CIS Docker Benchmark", Version: "1.6.0", ID: "4.8"}},
			Severity: policy.Medium,
			Default:  policy.Audit,
			Visible:  true,
			Rationale: "Access must be allowed only to persons and programs that were granted it (164.312(a)(1)). A setuid or setgid program, or " +
				"one with file capabilities, gives whoever runs it the rights of its owner; a flaw in it makes a user root.",
			Fix: "Remove the bits (chmod a-s, setcap -r) or the program in the layer that brings it, and set allowPrivilegeEscalation: false.",
		},
		Name: setuid,
	}
}

const (
	setuidBit = 0o4000
	setgidBit = 0o2000
)

func setuid(e detect.Entry) string {
	if !executable(e) || usualPrivileged(e) {
		return ""
	}
	switch {
	case e.Mode&setuidBit != 0:
		return "Setuid program"
	case e.Mode&setgidBit != 0 && e.Mode&0o010 != 0: // without it setgid is a lock (inode(7))
		return "Setgid program"
	case e.Capabilities:
		return "Program with file capabilities"
	}
	return ""
}

// usualPrivileged are the programs of Debian, Alpine and the Red Hat family that
// have such rights in their stock packages: logging in, mounting, terminals, and
// what a name server cache or a session bus needs.
func usualPrivileged(e detect.Entry) bool {
	switch {
	case slices.Contains(programFolders, e.Dir()) && !strings.HasPrefix(e.Path, "/usr/local/"):
	case strings.HasPrefix(e.Path, "/usr/lib") || strings.HasPrefix(e.Path, "/lib"):
	default:
		return false
	}
	switch e.Base() {
	case "su", "mount", "umount", "passwd", "chsh", "chfn", "gpasswd", "newgrp", "sg", "expiry", "chage", "wall", "write", "write.ul",
		"bsd-write", "unix_chkpwd", "pam_extrausers_chkpwd", "pam_timestamp_check", "userhelper", "usernetctl", "ssh-agent", "ssh-keysign",
		"dbus-daemon-launch-helper", "crontab", "fusermount", "fusermount3", "dotlockfile", "mlocate", "plocate", "locate", "utempter",
		"bbsuid", "ping", "ping6", "arping", "newuidmap", "newgidmap", "clockdiff", "mtr-packet", "polkit-agent-helper-1", "pkexec",
		"ntfs-3g", "mount.nfs", "mount.cifs", "staprun", "gst-ptp-helper", "lockdev", "netreport", "screen", "at", "batch":
		return true
	}
	return false
}

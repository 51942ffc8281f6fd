package rules

import (
	"fmt"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/hipaa"
)

// 45 CFR 164.310(d)(1): "Implement policies and procedures that govern the
// receipt and removal of hardware and electronic media that contain electronic
// protected health information into and out of a facility, and the movement of
// these items within the facility."
//
// Numbers: the kernel's Documentation/admin-guide/devices.txt. Graphics and
// compute devices are character devices and none of these. /dev/fuse and /dev/net/tun, low rows of the
// catalogue, are left out: what they make stays in the container's own
// namespaces unless it also has a capability that another rule names.
var hostDevice = policy.Rule{
	Info: policy.Info{
		ID: "host-device", Aliases: []string{"OCI-021"},
		Title:    "A disk or another raw device of the host is given to the container",
		Cites:    []hipaa.Citation{hipaa.DeviceMediaControls, hipaa.AccessControl},
		Controls: []policy.Control{cisDocker("5.18")},
		Severity: policy.High, Default: policy.Block, Isolation: true,
		Rationale: "Media that contain ePHI must be governed (164.310(d)(1)). A raw disk or the machine's memory shows all data on " +
			"it past every permission of the files, and so past what was granted (164.312(a)(1)).",
		Fix: "Mount a file system volume instead of the device.",
	},
	Needs: policy.FactDevices | policy.FactDeviceRules | policy.FactMounts | policy.FactHostPaths,
	Early: policy.FactDevices,
	Check: checkHostDevice,
}

// raw is a character device that reaches the machine itself.
type raw struct {
	major, minor int64
	path         string
}

var rawDevices = []raw{
	{1, 1, "/dev/mem"}, {1, 2, "/dev/kmem"}, {1, 4, "/dev/port"}, {1, 11, "/dev/kmsg"},
	{10, 232, "/dev/kvm"}, {10, 236, "/dev/mapper/control"}, {10, 237, "/dev/loop-control"},
}

func checkHostDevice(s *policy.Subject) []policy.Finding {
	found := listedDevices(linux(s).Devices)
	if s.Sees.Has(policy.FactDeviceRules) && len(found) == 0 { // a listed device comes with its rule
		found = append(found, allowedDisks(deviceRules(s))...)
	}
	if s.Sees.Has(policy.FactMounts) {
		found = append(found, mountedDevices(s)...)
	}
	return found
}

// listedDevices reports the disks once, with their number: a privileged
// container has all of the host's.
func listedDevices(devices []specs.LinuxDevice) []policy.Finding {
	var found []policy.Finding
	disks := -1
	for i, d := range devices {
		field := fmt.Sprintf("linux.devices[%d]", i)
		switch {
		case d.Type == "b":
			if disks < 0 {
				disks = len(found)
				found = append(found, at(field, "block device %s", policy.Printable(d.Path)))
			}
			found[disks].Count++
		case rawDevice(d) != "":
			found = append(found, at(field, "host device %s", rawDevice(d)))
		}
	}
	return found
}

func rawDevice(d specs.LinuxDevice) string {
	if d.Type == "p" { // a FIFO has no device behind it
		return ""
	}
	for _, r := range rawDevices {
		if d.Major == r.major && d.Minor == r.minor || d.Path == r.path {
			return r.path
		}
	}
	return ""
}

// allowedDisks are device rules that let block devices be read or written: a
// container makes its own node for them, since mknod is in the default
// capabilities. A rule for devices of every type is [privileged]'s.
func allowedDisks(rules []specs.LinuxDeviceCgroup) []policy.Finding {
	for i, r := range rules {
		if r.Allow && r.Type == "b" && opens(r.Access) {
			return []policy.Finding{at(fmt.Sprintf("linux.resources.devices[%d]", i), "access to block devices allowed")}
		}
	}
	return nil
}

func mountedDevices(s *policy.Subject) []policy.Finding {
	var found []policy.Finding
	for _, m := range hostMounts(s) {
		isDisk := s.Sees.Has(policy.FactHostPaths) && s.Host.BlockDevice[m.Source]
		isRaw := slices.ContainsFunc(rawDevices, func(r raw) bool { return slices.Contains(m.paths, r.path) })
		if isDisk || isRaw {
			found = append(found, at(m.field(), "host device %s mounted", policy.Printable(m.paths[len(m.paths)-1])))
		}
	}
	return found
}

// opens says whether a rule's access lets a device be read or written. mknod
// alone, which Docker allows for all, opens nothing. An empty access, which
// runc refuses, counts as all.
func opens(access string) bool { return access == "" || strings.ContainsAny(access, "rw") }

package nri

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/containerd/nri/pkg/api"

	"github.com/phigate/phigate/policy"
)

// Event masks by what the runtime has. Subscribing to Validate where it is not
// known gets the plugin refused, and containers would run unguarded.
const (
	withValidate = api.EventMask(1<<(api.Event_VALIDATE_CONTAINER_ADJUSTMENT-1) |
		1<<(api.Event_START_CONTAINER-1) | 1<<(api.Event_REMOVE_CONTAINER-1))
	withCreate = api.EventMask(1<<(api.Event_CREATE_CONTAINER-1) |
		1<<(api.Event_START_CONTAINER-1) | 1<<(api.Event_REMOVE_CONTAINER-1))
)

// subscription chooses the gates by the runtime's name and version.
func subscription(runtime, version string) (policy.Gate, api.EventMask, error) {
	switch runtime {
	case "containerd":
	case "docker", "dockerd", "moby":
		return "", 0, fmt.Errorf("Docker calls NRI before the root filesystem exists; guard it by the runc wrapper instead")
	default:
		return "", 0, fmt.Errorf("runtime %q is not known; containerd is", policy.Printable(runtime))
	}
	major, minor, err := parseVersion(version)
	if err != nil {
		return "", 0, err
	}
	switch {
	case major > 2 || major == 2 && minor >= 2:
		return policy.GateValidate, withValidate, nil
	case major == 2 || major == 1 && minor >= 7:
		return policy.GateCreate, withCreate, nil
	default:
		return "", 0, fmt.Errorf("containerd %s has no NRI that phigate knows; 1.7 or later is needed", policy.Printable(version))
	}
}

// parseVersion reads "v2.4.2", "2.4.2+unknown" or "1.7.35-rc.1".
func parseVersion(version string) (major, minor int, err error) {
	parts := strings.SplitN(strings.TrimPrefix(version, "v"), ".", 3)
	if len(parts) >= 2 {
		major, err = strconv.Atoi(parts[0])
		if err == nil {
			minor, err = strconv.Atoi(parts[1])
		}
		if err == nil && major > 0 {
			return major, minor, nil
		}
	}
	return 0, 0, fmt.Errorf("version %q of containerd cannot be read", policy.Printable(version))
}

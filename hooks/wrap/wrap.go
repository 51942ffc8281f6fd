// Package wrap is phigate-runc: an OCI runtime in front of another. It acts on the
// commands that make a container, create, run and restore; everything else is the real
// runtime's from the first instruction on. What phigated does not admit is
// never handed to the real runtime, so there is nothing to take back.
//
// What it does not do. The runtime opens config.json again after phigated has answered. Bundles
// are root's, and who is root starts the real runtime: a second look would stop nobody.
//
// Environment. phigate-runc takes one variable from it, PHIGATE_RUNC_CONFIG, and then
// has none: nothing that it decides hangs on another. The real runtime gets the client's environment
// as it came (runc reads XDG_RUNTIME_DIR, NOTIFY_SOCKET and more of it). Whoever
// sets it, LD_PRELOAD included, is the client, which runs as root and could as well call
// the real runtime itself. phigate-runc is linked statically, so LD_* mean nothing to it.
package wrap

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/phigate/phigate/hooks/internal/bundle"
	"github.com/phigate/phigate/hooks/internal/door"
)

// DefaultConfig is where the configuration lies; ConfigVariable names another place.
const (
	DefaultConfig  = "/etc/phigate/runc.yaml"
	ConfigVariable = "PHIGATE_RUNC_CONFIG"
)

// exitRefused is runc's own exit code of a command that did not work.
const exitRefused = 1

// Main is the program. It returns, with an exit code, only where the real
// runtime does not run.
func Main(args []string, stderr io.Writer) int {
	env, path := os.Environ(), DefaultConfig
	if other, ok := os.LookupEnv(ConfigVariable); ok {
		path = other
	}
	os.Clearenv()
	call, err := bundle.Parse(args[1:])
	say := door.Messages{File: call.Log, Format: call.LogFormat, Stderr: stderr}
	if err != nil && call.Judged {
		return say.Refuse(fmt.Errorf("phigate-runc: refused: %w", err), exitRefused)
	}
	c, err := door.LoadConfig(path)
	if err != nil {
		return say.Refuse(fmt.Errorf("phigate-runc: %w", err), exitRefused)
	}
	if c.Runc == "" {
		return say.Refuse(fmt.Errorf("phigate-runc: reading the configuration %s: runc is missing: the absolute path of the real runtime", path), exitRefused)
	}
	runc, err := openRunc(c.Runc)
	if err != nil {
		return say.Refuse(fmt.Errorf("phigate-runc: the real runtime %s: %w", c.Runc, err), exitRefused)
	}
	if call.Judged {
		about := door.Asked{Door: "wrapper", Command: call.Command, ID: call.ID, Bundle: call.Bundle}
		if err := door.Judge(c, about, say); err != nil {
			return say.Refuse(err, exitRefused)
		}
	}
	err = syscall.Exec(runc, append([]string{runc}, args[1:]...), env)
	return say.Refuse(fmt.Errorf("phigate-runc: running the real runtime %s: %w", runc, err), exitRefused)
}

// openRunc looks whether the real runtime is one, and not this program again
// under the name that the client calls.
func openRunc(path string) (string, error) {
	var st, self unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return "", fmt.Errorf("%w (runc in the configuration)", err)
	}
	if err := unix.Stat("/proc/self/exe", &self); err != nil {
		return "", fmt.Errorf("finding myself: %w", err)
	}
	switch {
	case st.Dev == self.Dev && st.Ino == self.Ino:
		return "", errors.New("it is phigate-runc itself: runc in the configuration must name the runtime behind it")
	case st.Mode&unix.S_IFMT != unix.S_IFREG || st.Mode&0o111 == 0:
		return "", errors.New("it is no program")
	}
	if err := door.Owned(&st); err != nil {
		return "", fmt.Errorf("it %w", err)
	}
	return path, nil
}

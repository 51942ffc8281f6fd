// Package oci is phigate-hook: a createRuntime hook (OCI runtime spec, config.md,
// "POSIX-platform Hooks") for runtimes that take hooks from a folder, CRI-O and
// Podman, and for containerd's base_runtime_spec. The runtime hands it the
// container's state; exit code 1 ends the creation before user code runs.
//
// It is a createRuntime hook and never a createContainer or startContainer hook. Those
// run in the container's namespaces, and the last even with the container's root: the image
// would bring the phigate-hook that judges it, phigated's socket is not there, and
// the bundle's path means something else. createRuntime runs in the runtime's
// namespaces, after the spec is final and the root filesystem is mounted.
//
// Its limits: the runtime has made namespaces and control groups by then and takes
// them back itself, hooks of the same kind that come earlier in the spec have run, and
// a client that edits the spec's hooks leaves it out. The wrapper has none of these.
package oci

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/phigate/phigate/hooks/internal/door"
)

// DefaultConfig is where the configuration lies. It has the wrapper's keys, of which
// runc means nothing here; without the file the defaults hold.
const DefaultConfig = "/etc/phigate/hook.yaml"

const (
	exitOK      = 0
	exitRefused = 1
)

// maxState bounds the container's state, in bytes: annotations are in it.
const maxState = 1 << 20

// Main is the program: phigate-hook [--config FILE], the state on stdin.
func Main(args []string, stdin io.Reader, stderr io.Writer) int {
	os.Clearenv()
	say := door.Messages{Stderr: stderr}
	if err := hook(args[1:], stdin, say); err != nil {
		return say.Refuse(err, exitRefused)
	}
	return exitOK
}

func hook(args []string, stdin io.Reader, say door.Messages) error {
	c := door.Defaults()
	var err error
	switch {
	case len(args) == 2 && args[0] == "--config":
		c, err = door.LoadConfig(args[1])
	case len(args) > 0:
		err = fmt.Errorf("it takes --config FILE, and was given %q", args)
	default:
		if c, err = door.LoadConfig(DefaultConfig); errors.Is(err, fs.ErrNotExist) {
			c, err = door.Defaults(), nil
		}
	}
	if err != nil {
		return fmt.Errorf("phigate-hook: %w", err)
	}
	s, err := readState(stdin)
	if err != nil {
		return fmt.Errorf("phigate-hook: reading the container's state: %w", err)
	}
	return door.Judge(c, door.Asked{Door: "hook", Command: "create", ID: s.ID, Bundle: s.Bundle}, say)
}

// state is what the hook needs of the container's (OCI runtime spec, runtime.md, "State").
type state struct {
	ID     string `json:"id"`
	Bundle string `json:"bundle"`
}

func readState(r io.Reader) (s state, err error) {
	data, err := io.ReadAll(io.LimitReader(r, maxState+1))
	switch {
	case err != nil:
		return s, err
	case len(data) > maxState:
		return s, fmt.Errorf("it has more than %d bytes", maxState)
	case json.Unmarshal(data, &s) != nil:
		return s, errors.New("it is not JSON of its kind")
	case s.ID == "" || s.Bundle == "":
		return s, errors.New("it names no container or no bundle")
	}
	return s, nil
}

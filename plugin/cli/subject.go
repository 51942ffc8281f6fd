package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/phigate/phigate/plugin/cli/target"
	"github.com/phigate/phigate/policy"
)

// everything is all facts that a subject can have.
const everything = policy.FactSpec | policy.FactPrivilegedPod | policy.FactPorts | policy.FactFiles |
	policy.FactImage | policy.FactHost

// subjectOf is a target as the engine judges it. What something at rest does
// not have by its nature is in Never; what its author wrote in a way that
// cannot be read is in neither, and so undecided. notes say the latter.
func subjectOf(t *target.Target, spec *specs.Spec) (s *policy.Subject, notes []string) {
	s = &policy.Subject{Name: t.Name, Gate: policy.GateScan, Image: t.Image}
	for _, l := range t.Layers {
		s.Layers = append(s.Layers, l.Key)
	}
	if len(s.Layers) > 0 { // an image may have none, and then no files
		s.Sees |= policy.FactFiles
	}
	var unknown policy.Facts
	if t.Config != nil {
		ports, err := policy.ExposedPorts(slices.Sorted(maps.Keys(t.Config.ExposedPorts)))
		if err != nil {
			notes = append(notes, "the ports are not judged: "+err.Error())
			unknown |= policy.FactPorts
		} else {
			s.Ports, s.Sees = ports, s.Sees|policy.FactPorts
		}
	}
	switch {
	case spec != nil:
		s.Spec, s.Sees = spec, s.Sees|policy.FactSpec
		if t.Config == nil { // nothing but the spec can offer a port
			s.Sees |= policy.FactPorts
		}
	case t.Config != nil:
		var seen policy.Facts
		s.Spec, seen = imageSpec(t.Config)
		s.Sees |= seen
	}
	s.Never = everything &^ s.Sees &^ unknown
	return s, notes
}

// imageSpec is what an image config says of the process that it will be. A user
// by name is nobody that rules on the spec could judge.
func imageSpec(c *v1.Config) (*specs.Spec, policy.Facts) {
	process := &specs.Process{Env: c.Env, Args: append(slices.Clone(c.Entrypoint), c.Cmd...), Cwd: c.WorkingDir}
	seen := policy.FactEnv | policy.FactArgs
	user, _, _ := strings.Cut(c.User, ":")
	if uid, err := strconv.ParseUint(user, 10, 32); err == nil {
		process.User.UID = uint32(uid)
		seen |= policy.FactUser
	}
	return &specs.Spec{Process: process}, seen
}

// maxSpec bounds a runtime spec, in bytes. Real ones have some 10 kB.
const maxSpec = 8 << 20

// readSpec reads an OCI runtime spec; no path means none. Messages of the JSON
// decoder can hold values, so they are not passed on.
func readSpec(path string) (*specs.Spec, error) {
	if path == "" {
		return nil, nil
	}
	data, err := readBounded(path, maxSpec)
	if err != nil {
		return nil, usage("reading the spec %s: %w", policy.Printable(path), err)
	}
	if trimmed := bytes.TrimSpace(data); len(trimmed) == 0 || trimmed[0] != '{' {
		return nil, usage("the spec %s is no JSON object; give the config.json of an OCI bundle", policy.Printable(path))
	}
	var spec specs.Spec
	err = json.Unmarshal(data, &spec)
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case err == nil:
		return &spec, nil
	case errors.As(err, &syntax):
		return nil, usage("the spec %s is not valid JSON at byte %d", policy.Printable(path), syntax.Offset)
	case errors.As(err, &kind):
		return nil, usage("the spec %s has a value of the wrong kind in %s, at byte %d", policy.Printable(path), policy.Printable(kind.Field), kind.Offset)
	}
	return nil, usage("the spec %s is not an OCI runtime spec", policy.Printable(path))
}

func readBounded(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, reason(err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, reason(err)
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("it has more than %d bytes", limit)
	}
	return data, nil
}

// reason is an error without the path, which the message names already.
func reason(err error) error {
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		return pathErr.Err
	}
	return err
}

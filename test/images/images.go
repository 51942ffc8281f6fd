// Package images makes container images for the tests, the benchmarks and the
// demo: in memory, without a registry, and the same bytes on every run.
package images

import (
	"bytes"
	"debug/elf"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
)

// PauseName is the name under which test/node imports Pause and tells
// containerd to use it for sandboxes.
const PauseName = "localhost/pause:1"

// Change is something that With does to an image: Files, Layer, Ports, Env or Config.
type Change interface {
	apply(v1.Image) (v1.Image, error)
}

// With returns base with the changes applied in their order. Each Files and
// each Layer becomes one layer on top.
func With(base v1.Image, changes ...Change) (v1.Image, error) {
	var err error
	for _, c := range changes {
		if base, err = c.apply(base); err != nil {
			return nil, fmt.Errorf("changing the image: %w", err)
		}
	}
	return base, nil
}

// Ports are those that the image exposes, such as "21/tcp".
type Ports []string

func (p Ports) apply(img v1.Image) (v1.Image, error) {
	return Config(func(c *v1.Config) {
		if c.ExposedPorts == nil {
			c.ExposedPorts = map[string]struct{}{}
		}
		for _, port := range p {
			c.ExposedPorts[port] = struct{}{}
		}
	}).apply(img)
}

// Env are variables that the image sets, as "KEY=value".
type Env []string

func (e Env) apply(img v1.Image) (v1.Image, error) {
	return Config(func(c *v1.Config) { c.Env = append(slices.Clone(c.Env), e...) }).apply(img)
}

// Config edits the image's configuration.
type Config func(*v1.Config)

func (edit Config) apply(img v1.Image) (v1.Image, error) {
	file, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	config := file.Config.DeepCopy()
	edit(config)
	return mutate.Config(img, *config)
}

// Layer is a layer to put on top, see Tar, Stream, Random and Many.
type Layer struct{ v1.Layer }

func (l Layer) apply(img v1.Image) (v1.Image, error) { return mutate.AppendLayers(img, l.Layer) }

// Base is a busybox image of one layer with a link for each applet, a shell as
// its command and the few files of /etc that programs look for.
func Base() (v1.Image, error) {
	binary, applets, err := busybox()
	if err != nil {
		return nil, err
	}
	files := Files{
		"/bin/busybox": {Body: binary, Mode: 0o755},
		"/etc/passwd":  Text("root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n"),
		"/etc/group":   Text("root:x:0:\nnogroup:x:65534:\n"),
		"/root":        {Dir: true, Mode: 0o700},
		"/tmp":         {Dir: true, Mode: 0o1777},
	}
	for _, applet := range applets {
		files["/bin/"+applet] = File{Link: "busybox"}
	}
	return With(empty.Image, Platform("linux", "amd64"), files, Config(func(c *v1.Config) {
		c.Env = []string{"PATH=/bin"}
		c.Cmd = []string{"/bin/sh"}
	}))
}

// Pause is what a sandbox runs: it sleeps. A shell would end for want of input, and
// the sandbox with it.
func Pause() (v1.Image, error) {
	base, err := Base()
	if err != nil {
		return nil, err
	}
	return With(base, Config(func(c *v1.Config) {
		c.Cmd = nil
		c.Entrypoint = []string{"/bin/sleep", "1000000"}
	}))
}

type platform struct{ os, arch string }

// Platform sets what the image runs on.
func Platform(os, arch string) Change { return platform{os, arch} }

func (p platform) apply(img v1.Image) (v1.Image, error) {
	file, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	file = file.DeepCopy()
	file.OS, file.Architecture = p.os, p.arch
	return mutate.ConfigFile(img, file)
}

// busybox reads the statically linked program of Debian's busybox-static and asks it for its applets.
func busybox() (binary []byte, applets []string, err error) {
	path, err := exec.LookPath("busybox")
	if err != nil {
		return nil, nil, fmt.Errorf("looking for busybox: %w; run test/setup", err)
	}
	binary, err = os.ReadFile(path)
	if err != nil {
		return nil, nil, fmt.Errorf("reading busybox: %w", err)
	}
	program, err := elf.NewFile(bytes.NewReader(binary))
	if err != nil {
		return nil, nil, fmt.Errorf("reading %s: %w", path, err)
	}
	if slices.ContainsFunc(program.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP }) {
		return nil, nil, fmt.Errorf("%s is linked dynamically and would not run in an image; run test/setup", path)
	}
	list, err := exec.Command(path, "--list").Output()
	if err != nil {
		return nil, nil, fmt.Errorf("listing busybox's applets: %w", err)
	}
	applets = slices.DeleteFunc(strings.Fields(string(list)), func(a string) bool { return a == "busybox" })
	return binary, applets, nil
}

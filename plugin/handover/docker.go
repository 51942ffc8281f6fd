package handover

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/phigate/phigate/plugin/layers"
	"github.com/phigate/phigate/policy"
)

// maxDockerFile bounds the files that Docker keeps of a container, in bytes.
const maxDockerFile = 8 << 20

// docker completes a container of Docker's from the files beside it. dockerd is
// never asked: it holds the container's lock while its runtime is at work, and
// would answer when that has ended.
func (d *Door) docker(ctx context.Context, c *container) error {
	root, err := dockerRoot(c)
	if err != nil {
		return err
	}
	image, err := c.dockerFiles(root)
	if err != nil {
		return err
	}
	if image == "" {
		return d.files(ctx, c, nil)
	}
	// With the containerd image store (Docker 29's own choice) the image is not in
	// Docker's, and its layers go by their folders.
	data, err := layers.DockerImage(root, image)
	if err != nil {
		c.subject.Image.Config = ""
		return d.files(ctx, c, nil)
	}
	if err := c.exposed(data); err != nil {
		return err
	}
	names, err := layers.Docker(root, image)
	if err != nil {
		return err
	}
	return d.files(ctx, c, byFolder(names))
}

func byFolder(names layers.Names) map[string][]string {
	known := map[string][]string{}
	for folder, diff := range names {
		known[folder] = []string{diff}
	}
	return known
}

// dockerRoot is Docker's data root, by where the container's own files come
// from: it mounts hosts, hostname and resolv.conf from <root>/containers/<id>.
func dockerRoot(c *container) (string, error) {
	for _, m := range c.subject.Spec.Mounts {
		folder := filepath.Dir(m.Source)
		if filepath.IsAbs(m.Source) && filepath.Base(folder) == c.ID && filepath.Base(filepath.Dir(folder)) == "containers" {
			return filepath.Dir(filepath.Dir(folder)), nil
		}
	}
	// Without them the root filesystem tells: <root>/overlay2/<layer>/merged.
	if parts := strings.Split(c.Root, "/overlay2/"); len(parts) == 2 {
		return parts[0], nil
	}
	return "", errors.New("Docker's data root cannot be told from the container's mounts")
}

// dockerConfig is what is needed of config.v2.json.
type dockerConfig struct {
	Name   string
	Image  string // digest of the image's config
	Config struct {
		Image        string // as the user wrote it
		ExposedPorts map[string]any
	}
}

// dockerFiles reads config.v2.json and hostconfig.json, and returns the image's ID.
func (c *container) dockerFiles(root string) (image string, err error) {
	folder := filepath.Join(root, "containers", c.ID)
	var own dockerConfig
	if err := readJSON(filepath.Join(folder, "config.v2.json"), &own); err != nil {
		return "", err
	}
	var host struct{ PortBindings map[string]any }
	if err := readJSON(filepath.Join(folder, "hostconfig.json"), &host); err != nil {
		return "", err
	}
	s := c.subject
	if name := strings.TrimPrefix(own.Name, "/"); name != "" {
		s.Name = name
	}
	s.Image = policy.Image{Ref: own.Config.Image, Config: own.Image}
	if err := c.dockerPorts(own.Config.ExposedPorts, "config.ExposedPorts"); err != nil {
		return "", err
	}
	return own.Image, c.dockerPorts(host.PortBindings, "hostconfig.PortBindings")
}

func (c *container) dockerPorts(of map[string]any, field string) error {
	var entries []string
	for entry := range of {
		entries = append(entries, entry)
	}
	ports, err := policy.ExposedPorts(entries)
	if err != nil {
		return err
	}
	for i := range ports {
		ports[i].Field = field
	}
	c.addPorts(ports)
	return nil
}

// exposed takes the ports of an image's config.
func (c *container) exposed(config []byte) error {
	var image struct {
		Config struct {
			ExposedPorts map[string]any `json:"ExposedPorts"`
		} `json:"config"`
	}
	if json.Unmarshal(config, &image) != nil {
		return errors.New("the image's config is not JSON of its kind")
	}
	return c.dockerPorts(image.Config.ExposedPorts, "image.config.ExposedPorts")
}

func readJSON(path string, into any) error {
	data, err := layers.ReadFile(path, maxDockerFile)
	if err != nil {
		return fmt.Errorf("reading what Docker keeps of the container: %w", err)
	}
	if json.Unmarshal(data, into) != nil { // whose error would quote it
		return fmt.Errorf("reading what Docker keeps of the container: %s is not JSON of its kind", path)
	}
	return nil
}

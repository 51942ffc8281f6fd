package containerd

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/platforms"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/identity"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// maxConfig bounds an image config, in bytes.
const maxConfig = 8 << 20

// Image is an image of the node, for this node's platform.
type Image struct {
	Name    string
	Digest  string   // of what the name points at: an index or a manifest
	Config  string   // digest of the image config
	DiffIDs []string // of the uncompressed layers, lowest first
	Chain   []string // chain IDs of the layers, lowest first
	Ports   []string // EXPOSE: "21", "53/udp"
}

// Top is the chain ID of the whole image; empty for an image without layers.
func (i *Image) Top() string {
	if len(i.Chain) == 0 {
		return ""
	}
	return i.Chain[len(i.Chain)-1]
}

// Images lists the images whose content is here, each config once. broken is
// called for an image that could not be read.
func (c *Client) Images(ctx context.Context, broken func(name string, err error)) ([]*Image, error) {
	list, err := c.c.ImageService().List(ctx)
	if err != nil {
		return nil, fmt.Errorf("listing images: %w", plain(err))
	}
	seen := map[string]bool{}
	var out []*Image
	for _, img := range list {
		image, err := c.image(ctx, img)
		if err != nil {
			broken(img.Name, err)
			continue
		}
		if !seen[image.Config] {
			seen[image.Config] = true
			out = append(out, image)
		}
	}
	return out, nil
}

// Image reads the image called name.
func (c *Client) Image(ctx context.Context, name string) (*Image, error) {
	img, err := c.c.ImageService().Get(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("reading image %s: %w", name, plain(err))
	}
	return c.image(ctx, img)
}

// ImageByDigest is the image whose name points at the digest.
func (c *Client) ImageByDigest(ctx context.Context, target string) (*Image, error) {
	d, err := digest.Parse(target)
	if err != nil {
		return nil, fmt.Errorf("an image has no valid digest: %w", err)
	}
	list, err := c.c.ImageService().List(ctx, "target.digest=="+d.String())
	if err != nil {
		return nil, fmt.Errorf("listing images: %w", plain(err))
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("image %s: %w", target, ErrNotFound)
	}
	return c.image(ctx, list[0])
}

// image reads an image; what its digest points at was read once and verified
// does not change.
func (c *Client) image(ctx context.Context, img images.Image) (*Image, error) {
	target := img.Target.Digest.String()
	if known, ok := recall(c, c.images, target); ok {
		again := *known
		again.Name = img.Name
		return &again, nil
	}
	store := c.c.ContentStore()
	desc, err := img.Config(ctx, store, platforms.Default())
	if err != nil {
		return nil, fmt.Errorf("reading the manifest of %s: %w", img.Name, plain(err))
	}
	out, err := c.ImageConfig(ctx, desc.Digest.String())
	if err != nil {
		return nil, err
	}
	out.Name, out.Digest = img.Name, target
	remember(c, c.images, target, out)
	return out, nil
}

// ConfigJSON is an image config as it was written, by its digest, which it is
// compared with.
func (c *Client) ConfigJSON(ctx context.Context, config string) ([]byte, error) {
	d, err := digest.Parse(config)
	if err != nil {
		return nil, fmt.Errorf("image config has no valid digest: %w", err)
	}
	store := c.c.ContentStore()
	info, err := store.Info(ctx, d)
	if err != nil {
		return nil, fmt.Errorf("reading image config %s: %w", config, plain(err))
	}
	if info.Size > maxConfig {
		return nil, fmt.Errorf("image config %s has %d bytes, more than %d", config, info.Size, maxConfig)
	}
	data, err := content.ReadBlob(ctx, store, ocispec.Descriptor{Digest: d, Size: info.Size})
	if err != nil {
		return nil, fmt.Errorf("reading image config %s: %w", config, plain(err))
	}
	if digest.FromBytes(data) != d {
		return nil, fmt.Errorf("image config %s is damaged: its bytes have another digest", config)
	}
	return data, nil
}

// ImageConfig reads an image config by its digest; name and manifest are unknown then.
func (c *Client) ImageConfig(ctx context.Context, config string) (*Image, error) {
	data, err := c.ConfigJSON(ctx, config)
	if err != nil {
		return nil, err
	}
	var cfg ocispec.Image
	if err := json.Unmarshal(data, &cfg); err != nil {
		return nil, fmt.Errorf("image config %s is not JSON of its kind", config)
	}
	out := &Image{Config: config}
	for _, id := range cfg.RootFS.DiffIDs {
		out.DiffIDs = append(out.DiffIDs, id.String())
	}
	for _, id := range identity.ChainIDs(append([]digest.Digest(nil), cfg.RootFS.DiffIDs...)) {
		out.Chain = append(out.Chain, id.String())
	}
	for port := range cfg.Config.ExposedPorts {
		out.Ports = append(out.Ports, port)
	}
	return out, nil
}

// ImageOf finds the image of a container: by the digest of its config where the
// runtime says it, else by name. Its layers must be below the container, which
// chain names: a name may point elsewhere by now.
func (c *Client) ImageOf(ctx context.Context, ref, config string, chain []string) (*Image, error) {
	if known, ok := recall(c, c.images, config); ok {
		return known, nil
	}
	image, err := c.imageOf(namespaced(ctx), ref, config)
	if err != nil {
		return nil, err
	}
	if top := image.Top(); top != "" && !slices.Contains(chain, top) {
		return nil, fmt.Errorf("image %s is no longer the one below the container", ref)
	}
	remember(c, c.images, image.Config, image)
	return image, nil
}

func (c *Client) imageOf(ctx context.Context, ref, config string) (*Image, error) {
	if config != "" {
		return c.ImageConfig(ctx, config)
	}
	return c.Image(ctx, ref)
}

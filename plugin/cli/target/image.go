package target

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/containerd/platforms"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/phigate/phigate/policy"
)

// Bounds of what an image may have. Registries take manifests of 4 MiB;
// overlayfs takes 500 layers.
const (
	maxManifest = 8 << 20 // bytes; of a config too
	maxLayers   = 1000
	maxIndexed  = 1000 // entries of an index
	maxDepth    = 3    // indexes within indexes
)

// blobs is where the parts of images lie. Neither method verifies anything.
type blobs interface {
	manifest(ctx context.Context, digest v1.Hash) (io.ReadCloser, error)
	blob(ctx context.Context, digest v1.Hash) (io.ReadCloser, error)
}

// verified reads a small part whole, and only if its digest is the right one.
func verified(ctx context.Context, open func(context.Context, v1.Hash) (io.ReadCloser, error), digest v1.Hash, what string) ([]byte, error) {
	if digest.Algorithm != "sha256" {
		return nil, input("the %s has a digest of kind %q; sha256 is supported", what, policy.Printable(digest.Algorithm))
	}
	r, err := open(ctx, digest)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	data, err := limited(r, what)
	if err != nil {
		return nil, err
	}
	if got := sha256.Sum256(data); hex.EncodeToString(got[:]) != digest.Hex {
		return nil, input("the %s is damaged: its bytes do not have the digest %s; get the image again", what, digest)
	}
	return data, nil
}

func limited(r io.Reader, what string) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxManifest+1))
	if err != nil {
		return nil, input("reading the %s: %w", what, err)
	}
	if len(data) > maxManifest {
		return nil, input("the %s has more than %d bytes", what, maxManifest)
	}
	return data, nil
}

// document is a manifest or an index. It must not be both: two readers would
// see two images (CVE-2021-41190).
type document struct {
	Config    *v1.Descriptor   `json:"config"`
	Layers    []v1.Descriptor  `json:"layers"`
	Manifests *[]v1.Descriptor `json:"manifests"`
}

func parseDocument(data []byte) (*document, error) {
	var d document
	if err := json.Unmarshal(data, &d); err != nil {
		return nil, input("the image's manifest is not JSON of its kind")
	}
	switch {
	case d.Manifests != nil && (d.Config != nil || d.Layers != nil):
		return nil, input("the image's manifest is an index as well: it would mean two images")
	case d.Manifests == nil && d.Config == nil:
		return nil, input("the image's manifest names no config; only images of Docker schema 2 and OCI are supported")
	case len(d.Layers) > maxLayers:
		return nil, input("the image has %d layers, more than %d", len(d.Layers), maxLayers)
	case d.Manifests != nil && len(*d.Manifests) > maxIndexed:
		return nil, input("the image's index has %d entries, more than %d", len(*d.Manifests), maxIndexed)
	}
	return &d, nil
}

// resolve reads the image that the digest names; of an index the one for this
// platform.
func (t *Target) resolve(ctx context.Context, from blobs, digest v1.Hash) error {
	for range maxDepth {
		data, err := verified(ctx, from.manifest, digest, "manifest")
		if err != nil {
			return err
		}
		doc, err := parseDocument(data)
		if err != nil {
			return err
		}
		if doc.Manifests == nil {
			return t.fromManifest(ctx, from, digest, doc)
		}
		if digest, err = forHere(*doc.Manifests); err != nil {
			return err
		}
	}
	return input("the image's indexes lie more than %d deep", maxDepth)
}

// here is the platform that this program runs on, as containerd matches it.
func here() platforms.MatchComparer { return platforms.OnlyStrict(platforms.DefaultSpec()) }

// forHere picks from an index as the runtime would.
func forHere(list []v1.Descriptor) (v1.Hash, error) {
	fits := slices.DeleteFunc(slices.Clone(list), func(d v1.Descriptor) bool { return !isImage(d) || !runsHere(d) })
	if len(fits) == 0 {
		return v1.Hash{}, input("the image is not for %s but for %s; name the one to scan by its digest",
			platforms.Format(platforms.DefaultSpec()), offered(list))
	}
	match := here()
	slices.SortStableFunc(fits, func(a, b v1.Descriptor) int {
		switch {
		case a.Platform == nil || b.Platform == nil:
			return 0
		case match.Less(platform(a), platform(b)):
			return -1
		case match.Less(platform(b), platform(a)):
			return 1
		}
		return 0
	})
	return fits[0].Digest, nil
}

// isImage leaves out attestations, signatures and other artifacts.
func isImage(d v1.Descriptor) bool {
	if d.Annotations["vnd.docker.reference.type"] != "" {
		return false
	}
	return d.MediaType == "" || d.MediaType.IsImage() || d.MediaType.IsIndex()
}

func runsHere(d v1.Descriptor) bool { return d.Platform == nil || here().Match(platform(d)) }

func platform(d v1.Descriptor) ocispec.Platform {
	return platforms.Normalize(ocispec.Platform{OS: d.Platform.OS, Architecture: d.Platform.Architecture, Variant: d.Platform.Variant,
		OSVersion: d.Platform.OSVersion, OSFeatures: d.Platform.OSFeatures})
}

func offered(list []v1.Descriptor) string {
	var names []string
	for _, d := range list {
		if d.Platform == nil || !isImage(d) || d.Platform.OS == "unknown" {
			continue
		}
		if name := policy.Printable(d.Platform.String()); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return "no platform at all"
	}
	return strings.Join(names[:min(len(names), maxChoices)], ", ")
}

func (t *Target) fromManifest(ctx context.Context, from blobs, digest v1.Hash, doc *document) error {
	config, err := verified(ctx, from.blob, doc.Config.Digest, "image config")
	if err != nil {
		return err
	}
	t.Image.Digest = digest.String()
	open := func(i int) (io.ReadCloser, error) {
		l := doc.Layers[i]
		r, err := from.blob(ctx, l.Digest)
		if err != nil {
			return nil, err
		}
		return ending{io.LimitReader(r, l.Size), r}, nil // a registry could send without end
	}
	for _, l := range doc.Layers {
		t.Size += max(l.Size, 0)
	}
	return t.fromConfig(config, len(doc.Layers), open)
}

// ending is a stream that is read through a bound.
type ending struct {
	io.Reader
	io.Closer
}

// fromConfig takes the image config, whose list of uncompressed digests each
// layer is held to.
func (t *Target) fromConfig(data []byte, layers int, open func(i int) (io.ReadCloser, error)) error {
	file, err := v1.ParseConfigFile(bytes.NewReader(data))
	if err != nil {
		return input("the image config is not JSON of its kind: it may be an artifact that is no image")
	}
	if file.OS != "" && file.OS != "linux" {
		return input("the image is for %s; images for linux can be scanned", policy.Printable(file.OS))
	}
	if len(file.RootFS.DiffIDs) != layers {
		return input("the image has %d layers and its config names %d; get it again", layers, len(file.RootFS.DiffIDs))
	}
	for i, id := range file.RootFS.DiffIDs {
		if id.Algorithm != "sha256" {
			return input("layer %d has a digest of kind %q; sha256 is supported", i+1, policy.Printable(id.Algorithm))
		}
		t.Layers = append(t.Layers, Layer{Key: id.String(), Tree: archived{target: t, diffID: id,
			open: func() (io.ReadCloser, error) { return open(i) }}})
	}
	t.setConfig(data, &file.Config)
	return nil
}

func (t *Target) setConfig(data []byte, config *v1.Config) {
	sum := sha256.Sum256(data)
	t.Image.Config = fmt.Sprintf("sha256:%x", sum)
	t.Config = config
}

// Package registry keeps checkpoints in an OCI registry: on a host that most
// clusters have, that is not the node.
package registry

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/phigate/phigate/plugin/audit"
)

// The media types of a checkpoint's image: one layer, the signed note.
const (
	artifactType = "application/vnd.phigate.checkpoint.v1"
	noteType     = "text/plain; charset=utf-8"
)

// maxNote bounds what is read back, in bytes.
const maxNote = 64 << 10

// Push puts a checkpoint into the repository, under a tag for the log and its
// size, which is never pushed anew with another note by phigate, and under one
// for the log's newest. Credentials are those of Docker's configuration.
func Push(ctx context.Context, repository string, log string, c audit.Checkpoint, options ...remote.Option) error {
	repo, err := name.NewRepository(repository)
	if err != nil {
		return fmt.Errorf("pushing checkpoint: %w", err)
	}
	img, err := image(log, c)
	if err != nil {
		return fmt.Errorf("pushing checkpoint: %w", err)
	}
	options = append([]remote.Option{remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain)}, options...)
	for _, tag := range []string{tagOf(log) + "-" + strconv.FormatUint(c.Size, 10), tagOf(log)} {
		if err := remote.Write(repo.Tag(tag), img, options...); err != nil {
			return fmt.Errorf("pushing checkpoint: %w", err)
		}
	}
	return nil
}

// Pull reads the newest checkpoint of a log back: a signed note, which is not
// checked here.
func Pull(ctx context.Context, repository, log string, options ...remote.Option) ([]byte, error) {
	repo, err := name.NewRepository(repository)
	if err != nil {
		return nil, fmt.Errorf("pulling checkpoint: %w", err)
	}
	options = append([]remote.Option{remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain)}, options...)
	img, err := remote.Image(repo.Tag(tagOf(log)), options...)
	if err != nil {
		return nil, fmt.Errorf("pulling checkpoint: %w", err)
	}
	layers, err := img.Layers()
	if err != nil {
		return nil, fmt.Errorf("pulling checkpoint: %w", err)
	}
	if len(layers) != 1 {
		return nil, fmt.Errorf("pulling checkpoint: %d layers, and a checkpoint has one", len(layers))
	}
	in, err := layers[0].Uncompressed()
	if err != nil {
		return nil, fmt.Errorf("pulling checkpoint: %w", err)
	}
	defer in.Close()
	data, err := io.ReadAll(io.LimitReader(in, maxNote))
	if err != nil {
		return nil, fmt.Errorf("pulling checkpoint: %w", err)
	}
	return data, nil
}

func image(log string, c audit.Checkpoint) (v1.Image, error) {
	img := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), artifactType)
	img, err := mutate.AppendLayers(img, static.NewLayer(c.Note, noteType))
	if err != nil {
		return nil, err
	}
	annotated, ok := mutate.Annotations(img, map[string]string{
		"org.opencontainers.image.title": "checkpoint",
		"dev.phigate.log":                log,
		"dev.phigate.size":               strconv.FormatUint(c.Size, 10),
	}).(v1.Image)
	if !ok {
		return nil, fmt.Errorf("annotating the image")
	}
	return annotated, nil
}

// tagOf is the last part of the log's ID.
func tagOf(log string) string { return "log-" + log[strings.LastIndexByte(log, '/')+1:] }

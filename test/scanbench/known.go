package main

import (
	"fmt"
	"path/filepath"

	"github.com/google/go-containerregistry/pkg/v1/empty"

	"github.com/phigate/phigate/test/images"
)

// layerSize is so large that the rest of an image does not count beside it.
const layerSize = 64 << 20

// known are scans of two images: one has a layer, the other has it twice.
func known(phigate, work string) ([]*contestant, error) {
	layer, err := images.Random("/srv/noise", layerSize, 1)
	if err != nil {
		return nil, fmt.Errorf("making a layer: %w", err)
	}
	changes := []images.Change{images.Platform("linux", "amd64")}
	var all []*contestant
	for _, name := range []string{nameOnce, nameTwice} {
		changes = append(changes, layer)
		img, err := images.With(empty.Image, changes...)
		if err != nil {
			return nil, err
		}
		folder := filepath.Join(work, fmt.Sprintf("image-%d", len(all)))
		if err := images.Layout(folder, "image", img); err != nil {
			return nil, err
		}
		all = append(all, scanOf(name, phigate, "oci:"+folder))
	}
	return all, nil
}

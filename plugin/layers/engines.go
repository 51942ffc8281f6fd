package layers

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Bounds of the files that engines keep, in bytes.
const (
	maxImageConfig = 8 << 20
	maxLayersJSON  = 64 << 20 // one entry for each layer of the node
	maxShort       = 4 << 10
)

// Names are the layers' folders and the digests of their uncompressed archives
// ("sha256:...", the image config's diff_ids).
type Names map[string]string

// Docker names the layers below a container of Docker's overlay2 driver: those of
// the image, whose config has the digest. A folder is believed to hold a layer where
// Docker's own layer store says so of the chain that the config yields, and
// the config has the digest that it is named by.
func Docker(dataRoot, image string) (Names, error) {
	var config struct {
		RootFS struct {
			DiffIDs []string `json:"diff_ids"`
		} `json:"rootfs"`
	}
	data, err := DockerImage(dataRoot, image)
	if err != nil {
		return nil, err
	}
	if json.Unmarshal(data, &config) != nil {
		return nil, errors.New("the image's config is not JSON of its kind")
	}
	names, chain := Names{}, ""
	for _, diff := range config.RootFS.DiffIDs {
		if chain = chainID(chain, diff); chain == "" {
			return nil, errors.New("the image's config has an invalid diff ID")
		}
		cacheID, err := readShort(filepath.Join(dataRoot, "image/overlay2/layerdb/sha256", strings.TrimPrefix(chain, "sha256:"), "cache-id"))
		if err != nil {
			return nil, fmt.Errorf("reading Docker's layer store: %w", err)
		}
		if filepath.Base(cacheID) != cacheID {
			return nil, errors.New("Docker's layer store names a folder outside of it")
		}
		folder, err := filepath.EvalSymlinks(filepath.Join(dataRoot, "overlay2", cacheID, "diff"))
		if err != nil {
			return nil, fmt.Errorf("reading Docker's layer store: %w", err)
		}
		names[folder] = diff
	}
	return names, nil
}

// DockerImage is an image's config as Docker keeps it, by its digest, which it
// is compared with.
func DockerImage(dataRoot, image string) ([]byte, error) {
	sum, ok := strings.CutPrefix(image, "sha256:")
	if !ok || !isHex(sum) {
		return nil, errors.New("the image has no valid ID")
	}
	data, err := ReadFile(filepath.Join(dataRoot, "image/overlay2/imagedb/content/sha256", sum), maxImageConfig)
	if err != nil {
		return nil, fmt.Errorf("reading the image's config: %w", err)
	}
	if got := sha256.Sum256(data); hex.EncodeToString(got[:]) != sum {
		return nil, errors.New("the image's config is damaged: its bytes have another digest")
	}
	return data, nil
}

// Storage names the layers of containers/storage (CRI-O, Podman, Buildah) among
// the folders, by what its layers.json says of them. Folders elsewhere have no name.
func Storage(folders []string) (Names, error) {
	names := Names{}
	known := map[string]map[string]string{} // store -> layer ID -> diff ID
	for _, folder := range folders {
		// <store>/overlay/<layer>/diff
		layer := filepath.Dir(folder)
		store := filepath.Dir(filepath.Dir(layer))
		if filepath.Base(folder) != "diff" || filepath.Base(filepath.Dir(layer)) != "overlay" {
			continue
		}
		ids, ok := known[store]
		if !ok {
			var err error
			if ids, err = storageLayers(store); err != nil {
				return nil, err
			}
			known[store] = ids
		}
		if diff := ids[filepath.Base(layer)]; diff != "" {
			names[folder] = diff
		}
	}
	return names, nil
}

func storageLayers(store string) (map[string]string, error) {
	ids := map[string]string{}
	data, err := ReadFile(filepath.Join(store, "overlay-layers/layers.json"), maxLayersJSON)
	if errors.Is(err, os.ErrNotExist) {
		return ids, nil // another engine's folder of that name
	}
	if err != nil {
		return nil, fmt.Errorf("reading the layers of containers/storage: %w", err)
	}
	var layers []struct {
		ID   string `json:"id"`
		Diff string `json:"diff-digest"`
		// Flags are there while a layer is being written.
		Flags map[string]any `json:"flags"`
	}
	if json.Unmarshal(data, &layers) != nil {
		return nil, errors.New("layers.json of containers/storage is not JSON of its kind")
	}
	for _, l := range layers {
		if l.Flags["incomplete"] == nil && strings.HasPrefix(l.Diff, "sha256:") && isHex(strings.TrimPrefix(l.Diff, "sha256:")) {
			ids[l.ID] = l.Diff
		}
	}
	return ids, nil
}

// chainID follows the OCI image spec (config.md, "Layer ChainID"). Empty where
// a part is no digest.
func chainID(parent, diff string) string {
	sum, ok := strings.CutPrefix(diff, "sha256:")
	if !ok || !isHex(sum) {
		return ""
	}
	if parent == "" {
		return diff
	}
	got := sha256.Sum256([]byte(parent + " " + diff))
	return "sha256:" + hex.EncodeToString(got[:])
}

func isHex(s string) bool {
	raw, err := hex.DecodeString(s)
	return err == nil && len(raw) == sha256.Size && strings.ToLower(s) == s
}

func readShort(path string) (string, error) {
	data, err := ReadFile(path, maxShort)
	return strings.TrimSpace(string(data)), err
}

// ReadFile reads a regular file of at most so many bytes.
func ReadFile(path string, limit int64) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err == nil && (!info.Mode().IsRegular() || info.Size() > limit) {
		err = fmt.Errorf("%s is no file of at most %d bytes", path, limit)
	}
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(f, limit))
	return data, err
}

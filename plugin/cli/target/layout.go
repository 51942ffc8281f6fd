package target

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/phigate/phigate/policy"
)

// Names of the OCI image layout specification and of `docker save`.
const (
	layoutFile   = "oci-layout"
	indexFile    = "index.json"
	manifestFile = "manifest.json"
)

// files are those of an image layout or of `docker save`, in a folder or in a
// tar. Names are slash-separated and relative.
type files interface {
	// open returns errAbsent for what is not there.
	open(name string) (io.ReadCloser, int64, error)
	close() error
}

var errAbsent = errors.New("is not there")

// stored is an image in a folder or a file. pick is a digest or a name; empty
// where there is one image only.
func (t *Target) stored(ctx context.Context, path, pick string) error {
	from, err := openFiles(path)
	if err != nil {
		return err
	}
	t.close = from.close
	index, err := whole(from, indexFile)
	if err != nil && !errors.Is(err, errAbsent) {
		return err
	}
	list, saveErr := whole(from, manifestFile)
	if saveErr != nil && !errors.Is(saveErr, errAbsent) {
		return saveErr
	}
	switch {
	case err == nil && saveErr == nil:
		if err := t.layout(ctx, from, index, pick); err != nil {
			return err
		}
		return t.sameImage(from, list)
	case err == nil:
		return t.layout(ctx, from, index, pick)
	case saveErr == nil:
		return t.saved(from, list, pick)
	}
	return input("%s holds no image (neither %s nor %s): if it holds a tree of files, as `docker export` writes it, unpack it and scan the folder",
		policy.Printable(path), indexFile, manifestFile)
}

func whole(from files, name string) ([]byte, error) {
	r, _, err := from.open(name)
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", policy.Printable(name), err)
	}
	defer r.Close()
	return limited(r, name)
}

// layoutBlobs reads an image layout's blobs/ folder.
type layoutBlobs struct{ files }

func (l layoutBlobs) blob(_ context.Context, digest v1.Hash) (io.ReadCloser, error) {
	r, _, err := l.open("blobs/" + digest.Algorithm + "/" + digest.Hex)
	if err != nil {
		return nil, input("opening blob %s: it %w; the image is not complete", digest, err)
	}
	return r, nil
}

func (l layoutBlobs) manifest(ctx context.Context, digest v1.Hash) (io.ReadCloser, error) {
	return l.blob(ctx, digest)
}

// layout picks from index.json.
func (t *Target) layout(ctx context.Context, from files, index []byte, pick string) error {
	doc, err := parseDocument(index)
	if err != nil || doc.Manifests == nil {
		return input("%s is not the index of an image layout", indexFile)
	}
	chosen, names, err := choose(*doc.Manifests, pick)
	if err != nil {
		return err
	}
	if len(names) > 0 {
		t.Image.Ref = names[0]
	}
	return t.resolve(ctx, layoutBlobs{from}, chosen)
}

// choose finds the one descriptor that pick means, or the only one there is. A
// digest may name an image for another platform; it was asked for.
func choose(list []v1.Descriptor, pick string) (v1.Hash, []string, error) {
	var fits []v1.Descriptor
	var choices []string
	for _, d := range list {
		named := pick != "" && (d.Digest.String() == pick || slices.Contains(namesOf(d), pick))
		if !isImage(d) || pick == "" && !runsHere(d) || pick != "" && !named {
			continue
		}
		if !slices.ContainsFunc(fits, func(f v1.Descriptor) bool { return f.Digest == d.Digest }) {
			fits = append(fits, d)
		}
	}
	if pick != "" && len(fits) > 1 { // one name for several platforms
		digest, err := forHere(fits)
		return digest, []string{pick}, err
	}
	if len(fits) == 1 {
		return fits[0].Digest, namesOf(fits[0]), nil
	}
	for _, d := range list {
		if isImage(d) {
			choices = append(choices, append(namesOf(d), d.Digest.String())[0])
		}
	}
	switch {
	case len(choices) == 0:
		return v1.Hash{}, nil, input("it holds no image")
	case pick != "":
		return v1.Hash{}, nil, input("it holds no image %s, but %s", policy.Printable(pick), listed(choices))
	case len(fits) == 0:
		_, err := forHere(list)
		return v1.Hash{}, nil, err
	}
	return v1.Hash{}, nil, input("it holds several images: %s; name one, as in oci:PATH:NAME or oci:PATH@sha256:...", listed(choices))
}

// namesOf are the names that writers of layouts give an image: the annotation
// of the image specification, and containerd's with the whole name.
func namesOf(d v1.Descriptor) []string {
	var names []string
	for _, key := range []string{"io.containerd.image.name", "org.opencontainers.image.ref.name"} {
		if name := d.Annotations[key]; name != "" {
			names = append(names, name)
		}
	}
	return names
}

// maxChoices bounds the names that an error lists.
const maxChoices = 10

func listed(choices []string) string {
	var names []string
	for _, c := range choices[:min(len(choices), maxChoices)] {
		names = append(names, policy.Printable(c))
	}
	if more := len(choices) - len(names); more > 0 {
		names = append(names, fmt.Sprintf("%d more", more))
	}
	return strings.Join(names, ", ")
}

// save is an entry of the manifest.json of `docker save`.
type save struct {
	Config   string
	RepoTags []string
	Layers   []string
}

func parseSaves(list []byte) ([]save, error) {
	var saves []save
	if err := json.Unmarshal(list, &saves); err != nil {
		return nil, input("%s is not what `docker save` writes", manifestFile)
	}
	if len(saves) > maxIndexed {
		return nil, input("%s lists %d images, more than %d", manifestFile, len(saves), maxIndexed)
	}
	return saves, nil
}

// saved picks from manifest.json.
func (t *Target) saved(from files, list []byte, pick string) error {
	saves, err := parseSaves(list)
	if err != nil {
		return err
	}
	chosen, err := chooseSave(saves, pick)
	if err != nil {
		return err
	}
	if len(chosen.Layers) > maxLayers {
		return input("the image has %d layers, more than %d", len(chosen.Layers), maxLayers)
	}
	config, err := whole(from, chosen.Config)
	if errors.Is(err, errAbsent) {
		return input("the image config %w; the archive is not complete", err)
	}
	if err != nil {
		return err
	}
	if len(chosen.RepoTags) > 0 {
		t.Image.Ref = chosen.RepoTags[0]
	}
	for _, name := range chosen.Layers {
		r, size, err := from.open(name)
		if err != nil {
			return input("opening layer %s: it %w; the archive is not complete", policy.Printable(name), err)
		}
		t.Size += size
		r.Close()
	}
	return t.fromConfig(config, len(chosen.Layers), func(i int) (io.ReadCloser, error) {
		r, _, err := from.open(chosen.Layers[i])
		return r, err
	})
}

func chooseSave(saves []save, pick string) (*save, error) {
	var choices []string
	for i, s := range saves {
		if len(saves) == 1 && pick == "" || pick != "" && slices.Contains(s.RepoTags, pick) {
			return &saves[i], nil
		}
		choices = append(choices, append(slices.Clone(s.RepoTags), s.Config)[0])
	}
	switch {
	case len(saves) == 0:
		return nil, input("it holds no image")
	case pick != "":
		return nil, input("it holds no image %s, but %s", policy.Printable(pick), listed(choices))
	}
	return nil, input("it holds several images: %s; name one, as in docker-archive:PATH:NAME", listed(choices))
}

// sameImage makes sure that an archive with both lists means the same image
// with both: Docker loads by the one, containerd by the other.
func (t *Target) sameImage(from files, list []byte) error {
	saves, err := parseSaves(list)
	if err != nil {
		return err
	}
	for _, s := range saves {
		config, err := whole(from, s.Config)
		if errors.Is(err, errAbsent) {
			continue
		}
		if err != nil {
			return err
		}
		if fmt.Sprintf("sha256:%x", sha256.Sum256(config)) == t.Image.Config {
			return nil
		}
	}
	return input("%s and %s name different images: Docker would load another than containerd; write the archive again", indexFile, manifestFile)
}

// openFiles opens a folder or a tar.
func openFiles(path string) (files, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, input("opening %s: %w", policy.Printable(path), plain(err))
	}
	if info.IsDir() {
		return openFolder(path)
	}
	if !info.Mode().IsRegular() {
		return nil, input("%s is neither a file nor a folder", policy.Printable(path))
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, input("opening %s: %w", policy.Printable(path), plain(err))
	}
	head := make([]byte, len(magicXZ))
	n, _ := io.ReadFull(f, head) // a shorter file is no tar either
	for _, magic := range [][]byte{magicGzip, magicZstd, magicBzip2, magicXZ} {
		if bytes.HasPrefix(head[:n], magic) {
			f.Close()
			return nil, input("%s is compressed: decompress it and scan what comes out", policy.Printable(path))
		}
	}
	t, err := indexTar(f)
	if err != nil {
		f.Close()
		return nil, input("reading the archive %s: %w", policy.Printable(path), err)
	}
	return t, nil
}

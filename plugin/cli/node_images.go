package cli

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/phigate/phigate/plugin/cache"
	"github.com/phigate/phigate/plugin/cli/target"
	"github.com/phigate/phigate/plugin/containerd"
	"github.com/phigate/phigate/plugin/simulate"
	"github.com/phigate/phigate/policy"
)

// Of containerd: how long to wait for its first answer, and the images whose
// configuration is read at a time.
const (
	containerdAnswers = 5 * time.Second
	configsAtATime    = 8
)

// nodeImages are the images of containerd as subjects over the facts of their
// layers, and those of which nothing can be said.
func nodeImages(ctx context.Context, socket string, facts *cache.Store) ([]*policy.Subject, []simulate.Unknown, error) {
	client, err := containerd.Open(socket)
	if err != nil {
		return nil, nil, err
	}
	defer client.Close()
	first, cancel := context.WithTimeout(ctx, containerdAnswers)
	_, err = client.Check(first)
	cancel()
	if err != nil {
		return nil, nil, usage("%w; is containerd running, and are you root? --config says where its socket is", err)
	}
	unknown := []simulate.Unknown{}
	images, err := client.Images(ctx, func(name string, err error) {
		unknown = append(unknown, simulate.Unknown{Image: policy.Printable(name), Why: policy.Printable(err.Error())})
	})
	if err != nil {
		return nil, nil, err
	}
	chains, err := byChain(facts)
	if err != nil {
		return nil, nil, err
	}
	subjects, reasons := make([]*policy.Subject, len(images)), make([]error, len(images))
	var wg sync.WaitGroup
	next := make(chan int)
	for range configsAtATime {
		wg.Go(func() {
			for i := range next {
				subjects[i], reasons[i] = imageSubject(ctx, client, images[i], facts, chains)
			}
		})
	}
	for i := range images {
		next <- i
	}
	close(next)
	wg.Wait()
	known := subjects[:0]
	for i, s := range subjects {
		if reasons[i] != nil {
			unknown = append(unknown, simulate.Unknown{Image: policy.Printable(images[i].Name), Why: policy.Printable(reasons[i].Error())})
			continue
		}
		known = append(known, s)
	}
	return known, unknown, ctx.Err()
}

func imageSubject(ctx context.Context, client *containerd.Client, image *containerd.Image, facts *cache.Store, chains map[string]string) (*policy.Subject, error) {
	data, err := client.ConfigJSON(ctx, image.Config)
	if err != nil {
		return nil, err
	}
	file, err := v1.ParseConfigFile(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("its configuration is not JSON of its kind")
	}
	t := &target.Target{
		Name: image.Name, Config: &file.Config,
		Image: policy.Image{Ref: image.Name, Digest: image.Digest, Config: image.Config},
	}
	for i, diffID := range image.DiffIDs {
		key := diffID
		if _, ok, err := facts.Get(key); err != nil {
			return nil, err
		} else if !ok {
			key = unpackedAs(chains, image.Chain[i])
		}
		if key == "" {
			t.Layers = nil
			break
		}
		t.Layers = append(t.Layers, target.Layer{Key: key})
	}
	if len(t.Layers) == 0 && len(image.DiffIDs) > 0 { // a snapshotter without layers knows the image as a whole
		key := unpackedAs(chains, image.Top())
		if key == "" {
			return nil, fmt.Errorf("phigated has not scanned all of its layers yet")
		}
		t.Layers = []target.Layer{{Key: key}}
	}
	s, _ := subjectOf(t, nil)
	return s, nil
}

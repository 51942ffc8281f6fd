package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"golang.org/x/sys/unix"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"

	"github.com/phigate/phigate/test/node"
)

// retry is how soon a create is tried again that met an image whose scan is in progress.
const retry = 100 * time.Millisecond

// pulled is how long one new image took: until the pull was answered, and from
// then until its container ran.
type pulled struct{ pull, start time.Duration }

func (p pulled) total() time.Duration { return p.pull + p.start }

// pulling measures pull-to-Running of images that are new to both nodes.
func (b *bench) pulling(ctx context.Context, n int, size int64) error {
	reg, err := newShelf(b.with.Dir)
	if err != nil {
		return err
	}
	defer reg.server.Close()
	sources, err := readSources(ctx, size)
	if err != nil {
		return err
	}
	fmt.Printf("\nPull-to-Running of a new image of %d MB in %d gzipped layers, %d files, %d samples each\n\n",
		size/1e6, len(sources.layers), sources.files(), n)
	fmt.Printf("%-8s%30s%30s%8s\n%-8s%10s%10s%10s%10s%10s%10s\n", "sample", "without phigate", "with phigate", "ratio",
		"", "pull", "start", "total", "pull", "start", "total")
	var ratios []float64
	for i := range n {
		img, err := sources.image(uint64(i))
		if err != nil {
			return err
		}
		took, err := b.pullBoth(ctx, reg, img, i)
		if err != nil {
			return err
		}
		with, without := took[b.with], took[b.without]
		ratio := with.total().Seconds() / without.total().Seconds()
		ratios = append(ratios, ratio)
		fmt.Printf("%-8d%10s%10s%10s%10s%10s%10s%8.2f\n", i+1, seconds(without.pull), seconds(without.start), seconds(without.total()),
			seconds(with.pull), seconds(with.start), seconds(with.total()), ratio)
	}
	ratio := median(ratios)
	fmt.Println()
	goal("pull-to-Running", ratio <= 1.2, "%.2f x, median of %d; at most 1.2 x", ratio, n)
	return nil
}

func (b *bench) pullBoth(ctx context.Context, reg *shelf, img v1.Image, round int) (map[*node.Node]pulled, error) {
	ref, err := reg.put(ctx, img, fmt.Sprintf("new-%d", round))
	if err != nil {
		return nil, err
	}
	took := map[*node.Node]pulled{}
	err = turns(round, b.both(), func(at *node.Node) error {
		took[at], err = pullOnce(ctx, at, ref)
		return err
	})
	if err != nil {
		return nil, err
	}
	return took, reg.clear()
}

// pullOnce pulls the image, runs a container of it and removes both.
func pullOnce(ctx context.Context, at *node.Node, ref string) (pulled, error) {
	pod, err := at.RunPod(ctx, node.PodOptions{Namespace: "clinic-a"})
	if err != nil {
		return pulled{}, err
	}
	settle()
	began := time.Now()
	spec := &runtimeapi.ImageSpec{Image: ref}
	if _, err := at.CRI().PullImage(ctx, &runtimeapi.PullImageRequest{Image: spec}); err != nil {
		return pulled{}, fmt.Errorf("pulling: %w", err)
	}
	pull := time.Since(began)
	id, err := createRetrying(ctx, at, pod, sleeps("app", ref))
	if err != nil {
		return pulled{}, err
	}
	if err := at.StartContainer(ctx, id); err != nil {
		return pulled{}, fmt.Errorf("starting a container: %w", err)
	}
	took := pulled{pull, time.Since(began) - pull}
	if err := at.RemovePod(ctx, pod); err != nil {
		return pulled{}, err
	}
	_, err = at.CRI().RemoveImage(ctx, &runtimeapi.RemoveImageRequest{Image: spec})
	return took, err
}

// createRetrying tries again while the answer is that the image is being scanned.
func createRetrying(ctx context.Context, at *node.Node, pod string, o node.ContainerOptions) (string, error) {
	for {
		id, err := at.Create(ctx, pod, o)
		if err == nil || !strings.Contains(err.Error(), "scan in progress") {
			return id, err
		}
		select {
		case <-time.After(retry):
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
}

// settle lets what the last sample left behind, pages to be written and
// content to be collected, not weigh on the next one.
func settle() {
	time.Sleep(time.Second)
	unix.Sync()
}

// shelf is a registry in this process, with its blobs on disk.
type shelf struct {
	server *http.Server
	host   string
	dir    string
}

func newShelf(parent string) (*shelf, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listening for the registry: %w", err)
	}
	dir := filepath.Join(parent, "registry")
	handler := registry.New(registry.Logger(log.New(io.Discard, "", 0)), registry.WithBlobHandler(registry.NewDiskBlobHandler(dir)))
	s := &shelf{server: &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}, host: listener.Addr().String(), dir: dir}
	go func() { _ = s.server.Serve(listener) }() // ends when it is closed
	return s, nil
}

// put pushes the image and returns what to pull it by.
func (s *shelf) put(ctx context.Context, img v1.Image, repository string) (string, error) {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return "", fmt.Errorf("creating the registry's folder: %w", err)
	}
	ref, err := name.ParseReference(s.host+"/"+repository+":1", name.Insecure)
	if err != nil {
		return "", fmt.Errorf("naming the image: %w", err)
	}
	if err := remote.Write(ref, img, remote.WithContext(ctx)); err != nil {
		return "", fmt.Errorf("pushing the image: %w", err)
	}
	return ref.Name(), nil
}

// clear removes the blobs, which nobody pulls again.
func (s *shelf) clear() error { return os.RemoveAll(s.dir) }

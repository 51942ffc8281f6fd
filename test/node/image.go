package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"

	"github.com/phigate/phigate/test/images"
)

// Import puts the image into containerd under the name ref, unpacks it, and
// waits until CRI knows it. It is streamed: a large one takes no memory.
func (n *Node) Import(ctx context.Context, ref string, img v1.Image) error {
	if err := n.ImportIn(ctx, "k8s.io", ref, img); err != nil {
		return err
	}
	return n.known(ctx, ref)
}

// ImportIn puts the image into one of containerd's namespaces, which CRI
// knows nothing of unless it is its own.
func (n *Node) ImportIn(ctx context.Context, namespace, ref string, img v1.Image) error {
	r, w := io.Pipe()
	written := make(chan error, 1)
	go func() {
		err := images.Write(w, ref, img)
		w.CloseWithError(err)
		written <- err
	}()
	_, err := n.ctr(ctx, namespace, r, "images", "import", "--snapshotter", n.options.Snapshotter, "-")
	r.CloseWithError(errors.New("ctr has ended")) // unblocks the writer
	if werr := <-written; err != nil {
		return errors.Join(fmt.Errorf("importing %s: %w", ref, err), werr)
	}
	return nil
}

// known waits until CRI's own list of images, which follows containerd's events, has the image.
func (n *Node) known(ctx context.Context, ref string) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		got, err := n.CRI().ImageStatus(ctx, &runtimeapi.ImageStatusRequest{Image: &runtimeapi.ImageSpec{Image: ref}})
		if err != nil {
			return fmt.Errorf("asking CRI for %s: %w", ref, err)
		}
		if got.GetImage() != nil {
			return nil
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// Ctr runs containerd's own command line in the namespace that CRI uses, and returns what it prints.
func (n *Node) Ctr(ctx context.Context, stdin io.Reader, args ...string) (string, error) {
	return n.ctr(ctx, "k8s.io", stdin, args...)
}

func (n *Node) ctr(ctx context.Context, namespace string, stdin io.Reader, args ...string) (string, error) {
	args = append([]string{"--address", n.Address, "--namespace", namespace}, args...)
	cmd := exec.CommandContext(ctx, filepath.Join(n.binaries, "ctr"), args...)
	var out, errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, &out, &errs
	cmd.WaitDelay = time.Second // stdin may never end
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("running ctr %s: %w: %s", args[4], err, bytes.TrimSpace(errs.Bytes()))
	}
	return out.String(), nil
}

package e2e

import (
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"

	"github.com/phigate/phigate/test/gate"
	"github.com/phigate/phigate/test/images"
	"github.com/phigate/phigate/test/node"
)

// containerd asks phigate before it pulls, and is told of a digest whose containers
// were all refused: also when that image has gone, and phigated was started anew. Without phigated everything
// can be pulled, and nothing created.
func TestImageArrival(t *testing.T) {
	node.NeedsValidate(t)
	verifiers := t.TempDir()
	o := required
	o.Config = fmt.Sprintf("[plugins.'io.containerd.image-verifier.v1.bindir']\nbin_dir = '%s'\n", verifiers)
	r := newRig(t, o, gate.Options{})
	// By the name that it has on a node, but with the configuration of this one.
	program := filepath.Join(t.TempDir(), "phigate-verify")
	r.must(os.Symlink(filepath.Join(bin, "phigate"), program))
	script := fmt.Sprintf("#!/bin/sh\nexec %s -config %s \"$@\"\n", program, r.gate.Config)
	r.must(os.WriteFile(filepath.Join(verifiers, "phigate-verify"), []byte(script), 0o700))

	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	push := func(repository string, changes ...images.Change) string {
		t.Helper()
		img, err := gate.Make(changes...)
		r.must(err)
		ref, err := name.ParseReference(strings.TrimPrefix(server.URL, "http://")+"/clinic/"+repository, name.Insecure)
		r.must(err)
		r.must(remote.Write(ref, img))
		return ref.String()
	}
	pull := func(ref string) error {
		_, err := r.node.CRI().PullImage(r.ctx, &runtimeapi.PullImageRequest{Image: &runtimeapi.ImageSpec{Image: ref}})
		return err
	}
	refused := func(when string, err error) {
		t.Helper()
		if err == nil {
			t.Fatalf("%s the image was pulled", when)
		}
		r.contains(err.Error(), "phigate: blocked ", "[phi-table, ", "see: phigate decisions ")
	}
	table := images.Files{"/srv/people.csv": images.Text(gate.Patients(12))}
	people, renamed, clean := push("people:1", table), push("renamed:7", table), push("clean:1")

	r.must(pull(clean))
	r.must(pull(people)) // nobody knows it yet
	r.must(r.gate.Ready(r.ctx))
	r.refuse(r.pod(node.PodOptions{}), sleeps(people), "phi-table")
	refused("after its container was refused", pull(people))
	refused("under another name", pull(renamed))
	if out, err := r.node.Ctr(r.ctx, nil, "images", "pull", "--plain-http", renamed); err == nil || !strings.Contains(err.Error(), "phigate: blocked ") {
		t.Errorf("ctr's pull was not refused: %v: %s", err, out)
	}
	r.must(pull(clean))

	_, err := r.node.CRI().RemoveImage(r.ctx, &runtimeapi.RemoveImageRequest{Image: &runtimeapi.ImageSpec{Image: people}})
	r.must(err)
	r.eventually("the image's facts are dropped", 20*time.Second, func() bool { // phigated collects what has gone for a while
		out, err := r.node.Ctr(r.ctx, nil, "images", "ls", "-q")
		return err == nil && !strings.Contains(out, "clinic/people")
	})
	refused("after it was removed", pull(people))
	r.must(r.gate.Stop())
	r.must(pull(people)) // a warning that is not there holds nothing up
	r.must(r.gate.Start())
	r.must(r.gate.Ready(r.ctx))
	refused("after phigated was started anew", pull(renamed))

	arrivals := 0
	ds, err := r.gate.Decisions(r.ctx)
	r.must(err)
	for _, d := range ds {
		if d.Kind == "arrival" {
			arrivals++
		}
	}
	if arrivals == 0 || arrivals > 2 { // one for each life of phigated, however often it is pulled
		t.Errorf("%d arrivals are in the log, want one or two", arrivals)
	}
	// What containerd does not ask about: a client that fetches by itself.
	out, err := r.node.Ctr(r.ctx, nil, "images", "pull", "--local", "--plain-http", renamed)
	if err != nil {
		t.Errorf("ctr's own pull asks phigate, which the documentation denies: %v: %s", err, out)
	}
}

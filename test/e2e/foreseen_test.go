package e2e

import (
	"encoding/json"
	"testing"
	"time"

	client "github.com/containerd/containerd/v2/client"
	"github.com/containerd/typeurl/v2"
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/phigate/phigate/test/gate"
	"github.com/phigate/phigate/test/node"
)

// The start is judged by the record as it is then, and not as it was when the
// container was made and phigated read it ahead: whoever can speak to containerd
// can change it in between.
func TestRecordChangedBeforeTheStart(t *testing.T) {
	r := newRig(t, node.Options{Require: []string{"phigate"}}, gate.Options{Policies: examplePolicy(t)})
	base, pod := r.image("plain"), r.pod(node.PodOptions{})
	c, err := client.New(r.node.Address, client.WithDefaultNamespace("k8s.io"))
	r.must(err)
	defer c.Close()

	id, err := r.create(pod, sleeps(base))
	r.must(err)
	time.Sleep(500 * time.Millisecond) // by then the record has been read ahead
	record, err := c.ContainerService().Get(r.ctx, id)
	r.must(err)
	var spec specs.Spec
	r.must(json.Unmarshal(record.Spec.GetValue(), &spec))
	caps := []string{"CAP_SYS_ADMIN", "CAP_SYS_PTRACE", "CAP_SYS_MODULE", "CAP_NET_ADMIN", "CAP_DAC_READ_SEARCH"}
	spec.Process.Capabilities = &specs.LinuxCapabilities{Bounding: caps, Effective: caps, Permitted: caps}
	record.Spec, err = typeurl.MarshalAny(&spec)
	r.must(err)
	_, err = c.ContainerService().Update(r.ctx, record, "spec")
	r.must(err)

	if err = r.node.StartContainer(r.ctx, id); err == nil {
		t.Fatal("the container was started with the changed record")
	}
	r.contains(err.Error(), "phigate: blocked", "privileged")

	same, err := r.create(pod, sleeps(base, func(o *node.ContainerOptions) { o.Name = "same" }))
	r.must(err)
	time.Sleep(500 * time.Millisecond)
	r.must(r.node.StartContainer(r.ctx, same))
}

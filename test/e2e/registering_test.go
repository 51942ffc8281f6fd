package e2e

import (
	"testing"
	"time"

	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"

	"github.com/phigate/phigate/test/gate"
	"github.com/phigate/phigate/test/node"
)

// containerd takes a plugin in only when the CRI calls in flight have ended, and a
// container's stop may take its whole grace period. phigated says meanwhile what it
// waits for, and is asked as soon as that has ended.
func TestRegisteringWhileAContainerIsStopped(t *testing.T) {
	r := newRig(t, required, gate.Options{})
	image, pod := r.image("plain"), r.pod(node.PodOptions{})
	id := r.admit(pod, sleeps(image, func(o *node.ContainerOptions) {
		o.Command = []string{"/bin/busybox", "sh", "-c", `trap "" TERM; while :; do /bin/busybox sleep 1; done`}
	}))
	const grace = 25 * time.Second
	r.must(r.gate.Process().Kill())
	stopped := make(chan error, 1)
	go func() {
		_, err := r.node.CRI().StopContainer(r.ctx, &runtimeapi.StopContainerRequest{ContainerId: id, Timeout: int64(grace / time.Second)})
		stopped <- err
	}()
	time.Sleep(time.Second) // the stop is under way
	r.must(r.gate.Start())
	r.eventually("phigated says what the runtime waits for", grace, func() bool {
		s, err := r.gate.Status(r.ctx)
		return err == nil && !s.Runtime.Connected && s.Runtime.Error != "" && s.Runtime.Name != ""
	})
	s, err := r.gate.Status(r.ctx)
	r.must(err)
	r.contains(s.Runtime.Error, "grace period", "restarted")
	select {
	case err := <-stopped:
		t.Fatalf("the stop has ended already (error %v): nothing was waited for", err)
	default:
	}
	r.must(<-stopped)
	r.must(r.gate.Connected(r.ctx))
	if s, err = r.gate.Status(r.ctx); err != nil || s.Runtime.Error != "" {
		t.Errorf("once it is asked it says %q (error %v)", s.Runtime.Error, err)
	}
	r.admit(pod, sleeps(image, func(o *node.ContainerOptions) { o.Name = "after" }))
}

package faults

import (
	"context"
	"errors"
	"fmt"
	"time"

	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"

	"github.com/phigate/phigate/test/gate"
	"github.com/phigate/phigate/test/node"
)

// client creates one container after the other; each second one violates the policy.
type client struct {
	*soak
	name    string
	handler string // of its pods
	podded  bool   // asks CRI
	one     func(c *client, ctx context.Context, a *attempt)

	podID string
}

// attempt is one container. Soak.mu guards what is set at its end.
type attempt struct {
	by        *client
	name      string
	violating bool
	byImage   bool // that it violates; else by its spec, which NRI shows at the start at the earliest
	began     time.Time
	done      time.Time
	id        string // where it is known
	err       error  // why its client thinks that it does not run
}

func (a *attempt) String() string {
	return fmt.Sprintf("%s at %s, after %s: %v", a.name, a.began.Format("15:04:05.000"), a.done.Sub(a.began).Round(time.Millisecond), a.err)
}

// unguarded says whether a container is started unasked while phigated is away.
func (c *client) unguarded() bool { return c.podded && c.handler == "" }

// callWithin bounds one container.
const callWithin = 90 * time.Second

func (c *client) run(ctx context.Context) {
	for i := 0; ctx.Err() == nil; i++ {
		a := &attempt{by: c, violating: i%2 == 1, byImage: i%4 == 1 || c.unguarded()}
		a.name = fmt.Sprintf("%s-good-%d", c.name, i)
		if a.violating {
			a.name = fmt.Sprintf("%s-bad-%d", c.name, i)
		}
		c.mu.Lock()
		a.began = time.Now()
		c.attempts = append(c.attempts, a)
		c.mu.Unlock()
		asked, cancel := context.WithTimeout(c.ctx, callWithin)
		tried := *a
		c.one(c, asked, &tried)
		cancel()
		c.mu.Lock()
		a.id, a.err, a.done = tried.id, tried.err, time.Now()
		c.mu.Unlock()
		time.Sleep(10 * time.Millisecond)
	}
}

// marking is a command that proves that the container has run.
func marking(name string) []string {
	return []string{"/bin/busybox", "sh", "-c", "echo > /mark/" + name + "; exec /bin/busybox sleep 1000"}
}

// pod creates and starts a container in the client's pod, and removes it.
func (c *client) pod(ctx context.Context, a *attempt) {
	if a.err = c.inPod(ctx); a.err != nil {
		return
	}
	o := gate.Sleeps(c.clean, func(o *node.ContainerOptions) {
		o.Name, o.Command = a.name, marking(a.name)
		o.Mounts = []*runtimeapi.Mount{{HostPath: c.marks, ContainerPath: "/mark"}}
	})
	switch {
	case a.violating && a.byImage:
		o.Image = c.people
	case a.violating:
		o.AddCaps = violatingCaps()
	}
	if a.id, a.err = c.node.Create(ctx, c.podID, o); a.err != nil {
		return
	}
	a.err = c.node.StartContainer(ctx, a.id)
	_ = c.clear(ctx)
}

// clear removes the containers of the client's pod, those among them that it was
// never told of.
func (c *client) clear(ctx context.Context) error {
	all, err := c.node.CRI().ListContainers(ctx, &runtimeapi.ListContainersRequest{Filter: &runtimeapi.ContainerFilter{PodSandboxId: c.podID}})
	for _, ctr := range all.GetContainers() {
		err = errors.Join(err, c.node.Remove(ctx, ctr.GetId()))
	}
	return err
}

// inPod makes a new pod where the client has none that works.
func (c *client) inPod(ctx context.Context) error {
	if c.podID != "" {
		got, err := c.node.CRI().PodSandboxStatus(ctx, &runtimeapi.PodSandboxStatusRequest{PodSandboxId: c.podID})
		if err == nil && got.GetStatus().GetState() == runtimeapi.PodSandboxState_SANDBOX_READY {
			return nil
		}
		if err != nil && ctx.Err() == nil && c.node.Ready(ctx) != nil {
			return err // containerd is away; the pod may be there
		}
		// As the kubelet does, its containers first. Where a pod is removed with containers in
		// it while a plugin registers, containerd locks itself up for good: RemovePodSandbox holds
		// the read lock that the registration waits for, and calls RemoveContainer, which asks
		// for it again, behind the registration. What cannot be removed stays until the end.
		if c.clear(ctx) == nil {
			_ = c.node.RemovePod(ctx, c.podID)
		}
		c.podID = ""
	}
	id, err := c.node.RunPod(ctx, node.PodOptions{Namespace: "clinic-a", Handler: c.handler})
	if err == nil {
		c.podID = id
	}
	return err
}

// ctr runs a container to its end.
func (c *client) ctr(ctx context.Context, a *attempt) {
	o := node.RunOptions{ID: a.name, Image: c.clean, Binary: c.wrapper.Runc(),
		Args:    []string{"--mount", "type=bind,src=" + c.marks + ",dst=/mark,options=rbind:rw"},
		Command: []string{"/bin/busybox", "sh", "-c", "echo > /mark/" + a.name}}
	switch {
	case a.violating && a.byImage:
		o.Image = c.people
	case a.violating:
		o.Args = append(o.Args, "--privileged")
	}
	a.id = a.name
	_, a.err = c.node.Run(ctx, o)
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		a.err = errors.Join(a.err, ctx.Err())
	}
}

package nri

import (
	"context"
	"time"

	"github.com/containerd/nri/pkg/api"

	"github.com/phigate/phigate/policy"
)

// running is a container that ran before the door stood in the way.
type running struct {
	pod *api.PodSandbox
	ctr *api.Container
}

// catchUpWait bounds the wait for the scan of one running container's image.
const catchUpWait = 10 * time.Minute

// takeNote hands what runs to the background; the newest list replaces one that
// still waits.
func (d *Door) takeNote(pods []*api.PodSandbox, ctrs []*api.Container) {
	byID := map[string]*api.PodSandbox{}
	for _, pod := range pods {
		byID[pod.GetId()] = pod
	}
	var list []running
	judged := map[string]bool{} // of those that are still there
	d.mu.Lock()
	for _, ctr := range ctrs {
		if ctr.GetState() != api.ContainerState_CONTAINER_CREATED { // its start is still to come, with a gate of its own
			list = append(list, running{byID[ctr.GetPodSandboxId()], ctr})
		}
		if d.judged[ctr.GetId()] {
			judged[ctr.GetId()] = true
		}
	}
	d.judged = judged
	d.mu.Unlock()
	select {
	case <-d.catchUp:
	default:
	}
	d.catchUp <- list
}

// catchUpLoop judges what runs already, one container after the other, and
// records it. Nothing is stopped: the record is what an operator acts on.
func (d *Door) catchUpLoop(ctx context.Context) {
	for {
		select {
		case list := <-d.catchUp:
			for _, r := range list {
				d.judgeRunning(ctx, r)
			}
		case <-ctx.Done():
			return
		}
	}
}

func (d *Door) judgeRunning(ctx context.Context, r running) {
	if d.known(r.ctr.GetId()) {
		return
	}
	ctx, cancel := context.WithTimeoutCause(ctx, catchUpWait, errLate)
	defer cancel()
	d.awaitScan(ctx, r.ctr.GetId())
	subject, err := within(ctx, func() (*policy.Subject, error) {
		return d.subject(ctx, policy.GateCatchUp, r.pod, r.ctr, nil)
	})
	var decision *policy.Decision
	if err != nil {
		d.Engine.Unjudged(identity(policy.GateCatchUp, r.pod, r.ctr), err)
	} else {
		decision, err = d.Engine.Evaluate(ctx, subject)
	}
	if err != nil {
		d.Log.Warn("a running container could not be judged", "container", r.ctr.GetId(), "error", err)
		return
	}
	d.remember(r.ctr.GetId())
	if decision.Verdict != policy.Allow {
		d.Log.Warn("a running container violates the policy; it is not stopped", "container", r.ctr.GetId(), "decision", decision.Seq)
	}
}

// awaitScan waits until the layers below the container have facts.
func (d *Door) awaitScan(ctx context.Context, id string) {
	for ctx.Err() == nil {
		record, err := d.Runtime.Container(ctx, id)
		if err != nil {
			return
		}
		root, err := d.Runtime.Root(ctx, record.SnapshotKey)
		if err != nil {
			return
		}
		if _, warm := d.Layers.Layers(root); warm {
			return
		}
		select {
		case <-time.After(500 * time.Millisecond):
		case <-ctx.Done():
		}
	}
}

// known says whether the container was judged at its start or in a catch-up.
func (d *Door) known(id string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.judged[id]
}

func (d *Door) remember(id string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.judged[id] = true
}

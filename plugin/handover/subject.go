package handover

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/phigate/phigate/plugin/containerd"
	"github.com/phigate/phigate/plugin/layers"
	"github.com/phigate/phigate/policy"
)

// complete adds what stands around the spec: who the container is, its image and
// ports, the layers of its root filesystem.
func (d *Door) complete(ctx context.Context, c *container) error {
	var err error
	switch {
	case c.subject.Runtime == "docker":
		err = d.docker(ctx, c)
	case c.namespace != "":
		err = d.containerd(ctx, c)
	default: // a bare bundle: no image that says anything
		err = d.bare(ctx, c)
	}
	if err != nil {
		return err
	}
	s := c.subject
	s.Sees |= policy.FactFiles | policy.FactPorts | policy.FactImage
	if d.Warm == nil {
		return nil
	}
	keys := slices.Clone(s.Layers)
	for _, v := range s.Volumes {
		keys = append(keys, v.Layers...)
	}
	if err := d.Warm(ctx, keys); err != nil {
		return fmt.Errorf("matching file names with the policy: %w", err)
	}
	return nil
}

// bare completes a container by its bundle alone. Its layers have names where
// they lie in a store of containers/storage.
func (d *Door) bare(ctx context.Context, c *container) error {
	a := c.subject.Spec.Annotations
	s := c.subject
	s.Image.Ref = cmp.Or(a["io.kubernetes.cri-o.ImageName"], a["org.opencontainers.image.ref.name"])
	s.Name = cmp.Or(a["io.kubernetes.container.name"], a["io.podman.annotations.container.name"], s.Name)
	overlay, err := c.overlay()
	if err != nil {
		return d.files(ctx, c, nil) // which says what is wrong
	}
	names, err := layers.Storage(overlay.Lower)
	if err != nil {
		return err
	}
	return d.files(ctx, c, byFolder(names))
}

// containerd completes a container of one of containerd's clients by its record.
func (d *Door) containerd(ctx context.Context, c *container) error {
	task, err := d.Runtime.Task(ctx, c.namespace, c.ID)
	if err != nil {
		return err
	}
	if task.Sandbox != "" {
		if err := d.kubernetes(ctx, c, task); err != nil {
			return err
		}
	}
	if name := task.Labels["nerdctl/name"]; name != "" {
		c.subject.Name = name
	}
	if err := c.nerdctlPorts(task.Labels); err != nil {
		return err
	}
	committed, err := d.Runtime.Layers(ctx, task)
	if err != nil {
		return fmt.Errorf("finding the layers of the root filesystem: %w", err)
	}
	if err := d.image(ctx, c, task, committed); err != nil {
		return err
	}
	if task.Sandbox != "" {
		if err := d.volumes(ctx, c, task.Sandbox); err != nil {
			return err
		}
	}
	if task.Namespace == containerd.Namespace && len(committed) > 0 {
		// The scan in the background has these layers, or has begun with them.
		root := &containerd.Root{Snapshotter: task.Snapshotter}
		for _, l := range committed {
			root.Chain = append(root.Chain, l.Name)
		}
		if err := d.await(ctx, root, func([]string) {}); err != nil {
			return err
		}
	}
	return d.files(ctx, c, d.known(task, committed))
}

// kubernetes: the pod is believed by the record that CRI's plugin keeps of its sandbox.
func (d *Door) kubernetes(ctx context.Context, c *container, task *containerd.Task) error {
	sandbox, err := d.Runtime.Sandbox(ctx, task.Sandbox)
	if err != nil {
		return fmt.Errorf("reading the pod's sandbox: %w", err)
	}
	s := c.subject
	s.Runtime, s.PrivilegedPod = "cri", sandbox.Privileged
	s.Pod = policy.Pod{Namespace: sandbox.Pod.Namespace, Name: sandbox.Pod.Name, UID: sandbox.Pod.UID, Labels: sandbox.Pod.Labels}
	s.Requester = sandbox.Pod.Requester
	if task.Sandbox == c.ID { // it listens to nothing itself
		s.Name = "pause"
		return nil
	}
	s.Name = s.Spec.Annotations["io.kubernetes.cri.container-name"]
	declared, byKubelet := policy.KubeletPorts(task.Annotations)
	c.addPorts(declared)
	if byKubelet {
		return nil // the pod's other ports are other containers'
	}
	for i, p := range sandbox.Ports {
		c.addPorts([]policy.Port{{Number: p.ContainerPort, Protocol: p.Protocol, Host: p.HostPort, Field: fmt.Sprintf("pod.portMappings[%d]", i), WholePod: true}})
	}
	return nil
}

// image names the container's image and takes its ports. A container whose
// client named none, because it was given a folder, has none.
func (d *Door) image(ctx context.Context, c *container, task *containerd.Task, committed []containerd.Committed) error {
	if task.Image == "" {
		return nil
	}
	image, err := d.Runtime.ImageBelow(ctx, task)
	if err != nil {
		return err
	}
	below := slices.ContainsFunc(committed, func(l containerd.Committed) bool { return l.Name == image.Top() })
	if image.Top() != "" && len(committed) > 0 && !below {
		return fmt.Errorf("image %s is no longer the one below the container: make the container anew, or give its image that name again", task.Image)
	}
	s := c.subject
	s.Image = policy.Image{Ref: image.Name, Digest: image.Digest, Config: image.Config}
	exposed, err := policy.ExposedPorts(image.Ports)
	c.addPorts(exposed)
	return err
}

// known are the keys under which the facts of a folder may be: those of the
// snapshot that it belongs to.
func (d *Door) known(task *containerd.Task, committed []containerd.Committed) map[string][]string {
	out := map[string][]string{}
	for _, l := range committed {
		if l.Folder != "" && strings.HasPrefix(l.Name, "sha256:") {
			out[resolved(l.Folder)] = d.Scanner.Known(task.Snapshotter, l.Name)
		}
	}
	return out
}

// imageVolumes is the folder below containerd's state in which its CRI plugin
// mounts the images that a pod uses as volumes: <pod>/<image>.
const imageVolumes = "/image-volumes/"

// volumes finds the images that are mounted as volumes; their snapshots' keys
// are the mounts' targets.
func (d *Door) volumes(ctx context.Context, c *container, pod string) error {
	for _, m := range c.subject.Spec.Mounts {
		base, rest, ok := strings.Cut(m.Source, imageVolumes+pod+"/")
		if !ok {
			continue
		}
		digest, _, _ := strings.Cut(rest, "/")
		root, err := d.Runtime.Root(ctx, base+imageVolumes+pod+"/"+digest)
		if err == nil {
			err = d.await(ctx, root, func(keys []string) {
				c.subject.Volumes = append(c.subject.Volumes, policy.Volume{Destination: path.Clean(m.Destination), Layers: keys})
			})
		}
		if err != nil {
			return fmt.Errorf("finding the image that is mounted at %s: %w", policy.Printable(m.Destination), err)
		}
	}
	return nil
}

// lookEvery spaces the looks at a scan in the background.
const lookEvery = 20 * time.Millisecond

// await waits until the layers that the background scans have facts.
func (d *Door) await(ctx context.Context, root *containerd.Root, warm func(keys []string)) error {
	for {
		keys, ok := d.Scanner.Layers(root)
		if ok {
			warm(keys)
			return nil
		}
		select {
		case <-time.After(lookEvery):
		case <-ctx.Done():
			return errors.New(d.Scanner.Cold(keys))
		}
	}
}

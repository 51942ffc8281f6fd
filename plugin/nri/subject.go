package nri

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/containerd/nri/pkg/api"
	nrispec "github.com/containerd/nri/pkg/runtime-tools/generate"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/opencontainers/runtime-tools/generate"
	"google.golang.org/protobuf/proto"

	"github.com/phigate/phigate/plugin/containerd"
	"github.com/phigate/phigate/policy"
)

// early is what NRI shows of a container before its record exists. It never
// carries capabilities, no_new_privileges, the read-only flag of the root, its
// propagation; those are judged at the start.
const early = policy.FactMounts | policy.FactArgs | policy.FactEnv | policy.FactNamespaces |
	policy.FactDevices | policy.FactDeviceRules

// subject gathers what the gate can see of the container.
func (d *Door) subject(ctx context.Context, gate policy.Gate, pod *api.PodSandbox, ctr *api.Container, adjust *api.ContainerAdjustment) (*policy.Subject, error) {
	if ctr.GetId() == "" {
		return nil, errors.New("the runtime named no container")
	}
	if gate == policy.GateStart || gate == policy.GateCatchUp {
		record, err := d.Runtime.Container(ctx, ctr.GetId())
		if err != nil {
			return nil, err
		}
		return d.fullSubject(ctx, gate, pod, ctr, record)
	}
	s := identity(gate, pod, ctr)
	if err := earlySpec(s, ctr, adjust); err != nil {
		return nil, err
	}
	return s, d.surroundings(ctx, s, pod, ctr, ctr.GetId(), imageOf(ctr))
}

// fullSubject gathers the rest of a container whose record is known, which holds
// the spec as runc gets it.
func (d *Door) fullSubject(ctx context.Context, gate policy.Gate, pod *api.PodSandbox, ctr *api.Container, record *containerd.Record) (*policy.Subject, error) {
	s := identity(gate, pod, ctr)
	s.Spec, s.Sees = record.Spec, policy.FactSpec
	image := imageOf(ctr)
	image.ref = cmp.Or(image.ref, record.Image)
	image.config = cmp.Or(image.config, record.ImageConfig)
	image.digest = cmp.Or(image.digest, record.ImageDigest)
	return s, d.surroundings(ctx, s, pod, ctr, record.SnapshotKey, image)
}

// identity is who the subject is, before anything is known of it.
func identity(gate policy.Gate, pod *api.PodSandbox, ctr *api.Container) *policy.Subject {
	return &policy.Subject{
		ID: ctr.GetId(), Name: ctr.GetName(), Gate: gate, Runtime: "cri", RuntimeNamespace: containerd.Namespace,
		Pod:       policy.Pod{Namespace: pod.GetNamespace(), Name: pod.GetName(), UID: pod.GetUid(), Labels: pod.GetLabels()},
		Requester: policy.PodRequester(pod.GetAnnotations(), pod.GetLabels()),
	}
}

// imageRef is what the gate knows of the image by name.
type imageRef struct{ ref, config, digest string }

// imageOf: containerd names the image and its digests from 2.4 on, below that
// only in an annotation that its CRI plugin writes.
func imageOf(ctr *api.Container) imageRef {
	img := imageRef{ref: ctr.GetAnnotations()["io.kubernetes.cri.image-name"]}
	if i := ctr.GetImage(); i != nil {
		img.config, img.digest = i.GetConfigDigest(), i.GetDigest()
		if img.ref == "" {
			img.ref = i.GetName()
		}
	}
	return img
}

// earlySpec makes a spec of what NRI shows, with all adjustments applied.
func earlySpec(s *policy.Subject, ctr *api.Container, adjust *api.ContainerAdjustment) error {
	s.Sees, s.LaterGate = early, policy.GateStart
	s.Later = policy.FactSpec | policy.FactHost | policy.FactImage
	s.Spec = specOf(ctr)
	if adjust != nil {
		applied := proto.Clone(adjust).(*api.ContainerAdjustment)
		applied.CDIDevices = nil
		if err := nrispec.SpecGenerator(&adjuster{generate.Generator{Config: s.Spec}}).Adjust(applied); err != nil {
			return fmt.Errorf("applying what other NRI plugins adjust: %w", err)
		}
	}
	// The user is only told from containerd 2.3 on, and never how a user
	// namespace maps it.
	if ctr.GetUser() != nil && !hasNamespace(s.Spec, specs.UserNamespace) {
		s.Sees |= policy.FactUser
	}
	// Such devices are injected after this gate, and with them whatever their
	// specification edits (CDI SPEC.md, containerEdits).
	if len(adjust.GetCDIDevices()) > 0 {
		s.Sees &^= policy.FactDevices | policy.FactDeviceRules | policy.FactMounts | policy.FactEnv | policy.FactUser
	}
	return nil
}

// adjuster is runtime-tools' generator, which NRI's own adjustment is made for.
type adjuster struct{ generate.Generator }

func (a *adjuster) Spec() *specs.Spec { return a.Config }

func specOf(ctr *api.Container) *specs.Spec {
	spec := &specs.Spec{
		Process:     &specs.Process{Args: ctr.GetArgs(), Env: ctr.GetEnv()},
		Linux:       &specs.Linux{Resources: ctr.GetLinux().GetResources().ToOCI(), Sysctl: ctr.GetLinux().GetSysctl()},
		Annotations: ctr.GetAnnotations(),
	}
	if u := ctr.GetUser(); u != nil {
		spec.Process.User = specs.User{UID: u.GetUid(), GID: u.GetGid(), AdditionalGids: u.GetAdditionalGids()}
	}
	for _, m := range ctr.GetMounts() {
		spec.Mounts = append(spec.Mounts, m.ToOCI(nil))
	}
	for _, n := range ctr.GetLinux().GetNamespaces() {
		spec.Linux.Namespaces = append(spec.Linux.Namespaces, specs.LinuxNamespace{
			Type: specs.LinuxNamespaceType(n.GetType()), Path: n.GetPath()})
	}
	for _, dev := range ctr.GetLinux().GetDevices() {
		spec.Linux.Devices = append(spec.Linux.Devices, dev.ToOCI())
	}
	return spec
}

func hasNamespace(spec *specs.Spec, kind specs.LinuxNamespaceType) bool {
	for _, n := range spec.Linux.Namespaces {
		if n.Type == kind {
			return true
		}
	}
	return false
}

// surroundings adds what stands around the spec: the root filesystem, the
// sandbox, the image, the ports.
func (d *Door) surroundings(ctx context.Context, s *policy.Subject, pod *api.PodSandbox, ctr *api.Container, key string, image imageRef) error {
	root, err := d.Runtime.Root(ctx, key)
	if err != nil {
		return fmt.Errorf("finding the root filesystem: %w", err)
	}
	s.Layers, _ = d.Layers.Layers(root)
	s.Sees |= policy.FactFiles
	if err := d.upper(ctx, s, root); err != nil {
		return err
	}
	if err := d.volumes(ctx, s, pod.GetId()); err != nil {
		return err
	}
	sandbox, err := d.Runtime.Sandbox(ctx, pod.GetId())
	if err != nil {
		return fmt.Errorf("reading the pod's sandbox: %w", err)
	}
	s.PrivilegedPod = sandbox.Privileged
	s.Sees |= policy.FactPrivilegedPod
	if image.ref != "" || s.Gate != policy.GateValidate && s.Gate != policy.GateCreate {
		s.Sees |= policy.FactImage
	}
	s.Image = policy.Image{Ref: image.ref, Digest: image.digest, Config: image.config}
	return d.ports(ctx, s, ctr, root, sandbox)
}

// upper judges what was written into the container's own folder before it
// runs: restored checkpoints do that.
func (d *Door) upper(ctx context.Context, s *policy.Subject, root *containerd.Root) (err error) {
	if root.Upper == "" {
		return nil
	}
	var key string
	switch s.Gate {
	case policy.GateStart:
		key, err = d.Upper.Same(ctx, s.ID, root.Upper)
	case policy.GateCatchUp:
		return nil // what a running container writes is no longer its image
	default:
		key, err = d.Upper.Scan(ctx, s.ID, root.Upper)
	}
	if err != nil {
		return fmt.Errorf("judging the container's writable folder: %w", err)
	}
	if key != "" {
		s.Layers = append(s.Layers, key)
	}
	return nil
}

// imageVolumes is the folder below containerd's state in which its CRI plugin
// mounts the images that a pod uses as volumes: <pod>/<image>.
const imageVolumes = "/image-volumes/"

// volumes finds the images that are mounted as volumes; their snapshots' keys
// are the mounts' targets.
func (d *Door) volumes(ctx context.Context, s *policy.Subject, pod string) error {
	for _, m := range s.Spec.Mounts {
		base, rest, ok := strings.Cut(m.Source, imageVolumes+pod+"/")
		if !ok || pod == "" {
			continue
		}
		digest, _, _ := strings.Cut(rest, "/")
		root, err := d.Runtime.Root(ctx, base+imageVolumes+pod+"/"+digest)
		if err != nil {
			return fmt.Errorf("finding the image that is mounted at %s: %w", policy.Printable(m.Destination), err)
		}
		keys, _ := d.Layers.Layers(root)
		s.Volumes = append(s.Volumes, policy.Volume{Destination: path.Clean(m.Destination), Layers: keys})
	}
	return nil
}

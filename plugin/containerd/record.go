package containerd

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/containerd/containerd/v2/core/containers"
	"github.com/containerd/typeurl/v2"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"

	"github.com/phigate/phigate/policy"
)

// The keys under which containerd's CRI plugin keeps its own records.
const (
	sandboxMetadata   = "io.cri-containerd.sandbox.metadata"
	containerMetadata = "io.cri-containerd.container.metadata"
)

// MaxSpec bounds an OCI spec, in bytes of JSON. A spec is a few tens of
// kilobytes; gRPC itself stops at 16 MiB.
const MaxSpec = 8 << 20

// Sandbox is what the gate needs of a pod's sandbox.
type Sandbox struct {
	Privileged bool // privileged containers are admitted to it
	Ports      []SandboxPort
	Pod        Identity
}

// SandboxPort is a port mapping of the pod.
type SandboxPort struct {
	Protocol      string // "tcp", "udp" or "sctp"
	ContainerPort uint16
	HostPort      uint16 // of the node; 0 where it is published on none
}

// Record is what containerd keeps of a container.
type Record struct {
	ID          string
	SandboxID   string
	Spec        *specs.Spec
	Snapshotter string
	SnapshotKey string
	Image       string // as containerd names it
	ImageConfig string // digest of the image config, "" where not said
	ImageDigest string // digest of the manifest, "" where not said
}

// Sandbox reads the CRI metadata of a pod's sandbox.
func (c *Client) Sandbox(ctx context.Context, id string) (*Sandbox, error) {
	if known, ok := recall(c, c.sandboxes, id); ok {
		return known, nil
	}
	record, err := c.c.ContainerService().Get(namespaced(ctx), id)
	if err != nil {
		return nil, fmt.Errorf("reading the sandbox: %w", plain(err))
	}
	var meta struct{ Config *cri.PodSandboxConfig }
	if err := extension(record, sandboxMetadata, &meta); err != nil {
		return nil, err
	}
	if meta.Config == nil {
		return nil, fmt.Errorf("sandbox metadata holds no configuration")
	}
	s := &Sandbox{Privileged: meta.Config.GetLinux().GetSecurityContext().GetPrivileged()}
	pod := meta.Config.GetMetadata()
	s.Pod = Identity{Namespace: pod.GetNamespace(), Name: pod.GetName(), UID: pod.GetUid(), Labels: meta.Config.GetLabels(),
		Requester: policy.PodRequester(meta.Config.GetAnnotations(), meta.Config.GetLabels())}
	for _, p := range meta.Config.GetPortMappings() {
		if p.ContainerPort > 0 && p.ContainerPort <= 65535 {
			s.Ports = append(s.Ports, SandboxPort{
				ContainerPort: uint16(p.ContainerPort), HostPort: uint16(min(max(p.HostPort, 0), 65535)), Protocol: protocol(p.Protocol)})
		}
	}
	remember(c, c.sandboxes, id, s)
	return s, nil
}

func protocol(p cri.Protocol) string {
	switch p {
	case cri.Protocol_UDP:
		return "udp"
	case cri.Protocol_SCTP:
		return "sctp"
	default:
		return "tcp"
	}
}

// Container reads a container's record, its OCI spec included.
func (c *Client) Container(ctx context.Context, id string) (*Record, error) {
	record, err := c.c.ContainerService().Get(namespaced(ctx), id)
	if err != nil {
		return nil, fmt.Errorf("reading the container's record: %w", plain(err))
	}
	return recordOf(record)
}

func recordOf(record containers.Container) (r *Record, err error) {
	r = &Record{
		ID: record.ID, SandboxID: record.SandboxID, Image: record.Image,
		Snapshotter: record.Snapshotter, SnapshotKey: record.SnapshotKey,
	}
	if r.Spec, err = spec(record.Spec); err != nil {
		return nil, err
	}
	var meta struct{ SandboxID, ImageRef, ImageDigest string }
	if err := extension(record, containerMetadata, &meta); err != nil {
		return nil, err
	}
	if r.SandboxID == "" {
		r.SandboxID = meta.SandboxID
	}
	r.ImageConfig, r.ImageDigest = meta.ImageRef, meta.ImageDigest
	return r, nil
}

func spec(any typeurl.Any) (*specs.Spec, error) {
	if any == nil || len(any.GetValue()) == 0 {
		return nil, fmt.Errorf("the container's record holds no OCI spec")
	}
	if n := len(any.GetValue()); n > MaxSpec {
		return nil, fmt.Errorf("the OCI spec has %d bytes, more than %d", n, MaxSpec)
	}
	var s specs.Spec
	if err := json.Unmarshal(any.GetValue(), &s); err != nil {
		return nil, fmt.Errorf("the container's record holds an OCI spec that is not JSON of its kind")
	}
	return &s, nil
}

// extension decodes one of the CRI plugin's records, which stand in an
// envelope {"Version":"v1","Metadata":{...}}. Errors never quote it.
func extension(record containers.Container, key string, metadata any) error {
	ext := record.Extensions[key]
	if ext == nil {
		return fmt.Errorf("record %s holds no CRI metadata: %w", record.ID, ErrNotFound)
	}
	envelope := struct {
		Version  string
		Metadata any
	}{Metadata: metadata}
	if err := json.Unmarshal(ext.GetValue(), &envelope); err != nil {
		return fmt.Errorf("record %s holds CRI metadata of an unknown form", record.ID)
	}
	if envelope.Version != "v1" {
		return fmt.Errorf("record %s holds CRI metadata of version %q; v1 is known", record.ID, envelope.Version)
	}
	return nil
}

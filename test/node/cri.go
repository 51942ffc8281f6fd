package node

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// PodOptions describe a pod on the host's network.
type PodOptions struct {
	Namespace   string // "default" when empty
	Name        string // one that is unused when empty
	UID         string // one that is unused when empty
	Labels      map[string]string
	Annotations map[string]string
	Ports       []*runtimeapi.PortMapping
	Privileged  bool // whether CRI admits privileged containers to the pod
	HostPID     bool
	HostIPC     bool
	Handler     string // CRI's runtime handler; its default when empty
	// Modify changes the request just before it is sent.
	Modify func(*runtimeapi.PodSandboxConfig)
}

// ContainerOptions describe a container of a pod.
type ContainerOptions struct {
	Name         string // "app" when empty
	Image        string // as given to Import
	Command      []string
	Args         []string
	Env          []string // "KEY=value"
	Mounts       []*runtimeapi.Mount
	Labels       map[string]string
	Annotations  map[string]string
	Devices      []*runtimeapi.Device
	AddCaps      []string // without "CAP_"
	DropCaps     []string
	Privileged   bool // the pod must be too
	HostPID      bool // as the pod's
	HostIPC      bool
	User         int64 // 0 leaves it to the image
	ReadonlyRoot bool
	NoNewPrivs   bool
	Seccomp      *runtimeapi.SecurityProfile
	// Modify changes the request just before it is sent.
	Modify func(*runtimeapi.ContainerConfig)
}

// RunPod creates and starts a pod's sandbox.
func (n *Node) RunPod(ctx context.Context, o PodOptions) (podID string, err error) {
	config := n.sandbox(o)
	resp, err := n.CRI().RunPodSandbox(ctx, &runtimeapi.RunPodSandboxRequest{Config: config, RuntimeHandler: o.Handler})
	if err != nil {
		return "", fmt.Errorf("running the pod: %w", err)
	}
	n.pods.Store(resp.PodSandboxId, config)
	return resp.PodSandboxId, nil
}

func (n *Node) sandbox(o PodOptions) *runtimeapi.PodSandboxConfig {
	unused := fmt.Sprintf("pod-%d", time.Now().UnixNano())
	name, uid, namespace := cmp.Or(o.Name, unused), cmp.Or(o.UID, unused), cmp.Or(o.Namespace, "default")
	config := &runtimeapi.PodSandboxConfig{
		Metadata:     &runtimeapi.PodSandboxMetadata{Name: name, Uid: uid, Namespace: namespace},
		LogDirectory: filepath.Join(n.Dir, "pods", uid),
		Labels:       o.Labels,
		Annotations:  o.Annotations,
		PortMappings: o.Ports,
		Linux: &runtimeapi.LinuxPodSandboxConfig{
			CgroupParent: cgroup(n.Dir),
			SecurityContext: &runtimeapi.LinuxSandboxSecurityContext{
				NamespaceOptions: namespaces(o.HostPID, o.HostIPC),
				Privileged:       o.Privileged,
			},
		},
	}
	if o.Modify != nil {
		o.Modify(config)
	}
	return config
}

// Create creates a container in a pod of RunPod. The error is CRI's own.
func (n *Node) Create(ctx context.Context, podID string, o ContainerOptions) (id string, err error) {
	// CRI wants to hear again what it was told of the pod.
	pod, ok := n.pods.Load(podID)
	if !ok {
		return "", fmt.Errorf("creating a container: no pod %s was run here", podID)
	}
	config, err := container(o)
	if err != nil {
		return "", err
	}
	resp, err := n.CRI().CreateContainer(ctx, &runtimeapi.CreateContainerRequest{
		PodSandboxId: podID, Config: config, SandboxConfig: pod.(*runtimeapi.PodSandboxConfig),
	})
	if err != nil {
		return "", err
	}
	return resp.ContainerId, nil
}

func container(o ContainerOptions) (*runtimeapi.ContainerConfig, error) {
	var envs []*runtimeapi.KeyValue
	for _, e := range o.Env {
		key, value, ok := strings.Cut(e, "=")
		if !ok {
			return nil, fmt.Errorf("environment variable %d of the container has no value", len(envs))
		}
		envs = append(envs, &runtimeapi.KeyValue{Key: key, Value: []byte(value)})
	}
	name := cmp.Or(o.Name, "app")
	config := &runtimeapi.ContainerConfig{
		Metadata:    &runtimeapi.ContainerMetadata{Name: name},
		Image:       &runtimeapi.ImageSpec{Image: o.Image, UserSpecifiedImage: o.Image},
		Command:     o.Command,
		Args:        o.Args,
		Envs:        envs,
		Mounts:      o.Mounts,
		Devices:     o.Devices,
		Labels:      o.Labels,
		Annotations: o.Annotations,
		LogPath:     name + ".log",
		Linux:       &runtimeapi.LinuxContainerConfig{SecurityContext: security(o)},
	}
	if o.Modify != nil {
		o.Modify(config)
	}
	return config, nil
}

func security(o ContainerOptions) *runtimeapi.LinuxContainerSecurityContext {
	s := &runtimeapi.LinuxContainerSecurityContext{
		Capabilities:     &runtimeapi.Capability{AddCapabilities: o.AddCaps, DropCapabilities: o.DropCaps},
		Privileged:       o.Privileged,
		NamespaceOptions: namespaces(o.HostPID, o.HostIPC),
		ReadonlyRootfs:   o.ReadonlyRoot,
		NoNewPrivs:       o.NoNewPrivs,
		Seccomp:          o.Seccomp,
	}
	if o.User != 0 {
		s.RunAsUser = &runtimeapi.Int64Value{Value: o.User}
	}
	return s
}

// namespaces share the host's network; PID and IPC as asked.
func namespaces(hostPID, hostIPC bool) *runtimeapi.NamespaceOption {
	o := &runtimeapi.NamespaceOption{
		Network: runtimeapi.NamespaceMode_NODE,
		Pid:     runtimeapi.NamespaceMode_CONTAINER,
		Ipc:     runtimeapi.NamespaceMode_POD,
	}
	if hostPID {
		o.Pid = runtimeapi.NamespaceMode_NODE
	}
	if hostIPC {
		o.Ipc = runtimeapi.NamespaceMode_NODE
	}
	return o
}

// StartContainer starts a created container. The error is CRI's own.
func (n *Node) StartContainer(ctx context.Context, id string) error {
	_, err := n.CRI().StartContainer(ctx, &runtimeapi.StartContainerRequest{ContainerId: id})
	return err
}

// Remove stops and removes a container.
func (n *Node) Remove(ctx context.Context, id string) error {
	if _, err := n.CRI().RemoveContainer(ctx, &runtimeapi.RemoveContainerRequest{ContainerId: id}); err != nil {
		return fmt.Errorf("removing the container: %w", err)
	}
	return nil
}

// RemovePod stops and removes a pod with its containers.
func (n *Node) RemovePod(ctx context.Context, podID string) error {
	if _, err := n.CRI().StopPodSandbox(ctx, &runtimeapi.StopPodSandboxRequest{PodSandboxId: podID}); err != nil {
		return fmt.Errorf("stopping the pod: %w", err)
	}
	if _, err := n.CRI().RemovePodSandbox(ctx, &runtimeapi.RemovePodSandboxRequest{PodSandboxId: podID}); err != nil {
		return fmt.Errorf("removing the pod: %w", err)
	}
	n.pods.Delete(podID)
	return nil
}

// State is what CRI says of a container now.
func (n *Node) State(ctx context.Context, id string) (*runtimeapi.ContainerStatus, error) {
	resp, err := n.CRI().ContainerStatus(ctx, &runtimeapi.ContainerStatusRequest{ContainerId: id})
	if err != nil {
		return nil, fmt.Errorf("asking for the container: %w", err)
	}
	return resp.GetStatus(), nil
}

// WaitExit waits until the container has ended and returns its exit code. ctx bounds the wait.
func (n *Node) WaitExit(ctx context.Context, id string) (int32, error) {
	for {
		status, err := n.State(ctx, id)
		if err != nil {
			return 0, err
		}
		if status.GetState() == runtimeapi.ContainerState_CONTAINER_EXITED {
			return status.GetExitCode(), nil
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// Output is what the container printed so far, without the log's time stamps.
func (n *Node) Output(ctx context.Context, id string) (string, error) {
	status, err := n.State(ctx, id)
	if err != nil {
		return "", err
	}
	log, err := os.ReadFile(status.GetLogPath())
	if err != nil {
		return "", fmt.Errorf("reading the container's log: %w", err)
	}
	var out strings.Builder
	for line := range strings.Lines(string(log)) {
		// TIME STREAM F|P TEXT; P is a line that goes on in the next
		if f := strings.SplitN(line, " ", 4); len(f) == 4 {
			if f[2] == "P" {
				f[3] = strings.TrimSuffix(f[3], "\n")
			}
			out.WriteString(f[3])
		}
	}
	return out.String(), nil
}

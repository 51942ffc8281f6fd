package containerd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	events "github.com/containerd/containerd/api/events"
	"github.com/containerd/containerd/api/services/tasks/v1"
	"github.com/containerd/containerd/api/types/task"
	"github.com/containerd/containerd/v2/pkg/namespaces"
	"github.com/containerd/typeurl/v2"
	"golang.org/x/sys/unix"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// Moment is a point in a container's life.
type Moment uint8

// The moments that are watched.
const (
	MadeRecord    Moment = iota // containerd has a record of it; nothing runs
	StartedTask                 // its process runs
	RemovedRecord               // containerd has forgotten it
)

// Stage is a moment of one container, of whatever client, in any of
// containerd's namespaces.
type Stage struct {
	Moment    Moment
	Namespace string // containerd's, not the pod's
	ID        string
	Image     string // as the client named it; with MadeRecord alone
	PID       uint32 // with StartedTask alone
	Time      time.Time
}

// WatchContainers calls handle for each stage of each container until ctx ends
// or the connection breaks, and then returns why. ready is called once stages
// can no longer be missed. handle must return soon.
func (c *Client) WatchContainers(ctx context.Context, ready func(), handle func(Stage)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends the stream when Check fails
	envelopes, errs := c.c.EventService().Subscribe(ctx,
		`topic=="/containers/create"`, `topic=="/containers/delete"`, `topic=="/tasks/start"`)
	if _, err := c.Check(ctx); err != nil { // the stream was opened before this answer
		return err
	}
	ready()
	for {
		select {
		case env := <-envelopes:
			if env == nil {
				continue
			}
			if s, ok := stage(env.Event); ok {
				s.Namespace, s.Time = env.Namespace, env.Timestamp
				handle(s)
			}
		case err := <-errs:
			if err == nil {
				err = context.Cause(ctx)
			}
			return fmt.Errorf("watching containerd's containers: %w", err)
		}
	}
}

func stage(any typeurl.Any) (Stage, bool) {
	v, err := typeurl.UnmarshalAny(any)
	if err != nil {
		return Stage{}, false
	}
	switch e := v.(type) {
	case *events.ContainerCreate:
		return Stage{Moment: MadeRecord, ID: e.ID, Image: e.Image}, true
	case *events.ContainerDelete:
		return Stage{Moment: RemovedRecord, ID: e.ID}, true
	case *events.TaskStart:
		return Stage{Moment: StartedTask, ID: e.ContainerID, PID: e.Pid}, true
	}
	return Stage{}, false
}

// Running lists the containers of all namespaces whose process runs, as stages
// without a time.
func (c *Client) Running(ctx context.Context) ([]Stage, error) {
	names, err := c.c.NamespaceService().List(ctx)
	if err != nil {
		return nil, fmt.Errorf("listing containerd's namespaces: %w", plain(err))
	}
	var out []Stage
	for _, name := range names {
		list, err := c.c.TaskService().List(namespaces.WithNamespace(ctx, name), &tasks.ListTasksRequest{})
		if err != nil {
			return nil, fmt.Errorf("listing what runs in containerd's namespace %s: %w", name, plain(err))
		}
		for _, t := range list.GetTasks() {
			switch t.GetStatus() {
			case task.Status_RUNNING, task.Status_PAUSED, task.Status_PAUSING:
				out = append(out, Stage{Moment: StartedTask, Namespace: name, ID: cmp.Or(t.GetContainerID(), t.GetID()), PID: t.GetPid()})
			}
		}
	}
	return out, nil
}

// Origin is what a container's record says of who made it. All of it is what a
// client wrote; only what [Client.CRIHas] says is CRI's own word.
type Origin struct {
	Image    string
	Created  time.Time
	Labels   map[string]string
	Snapshot bool // its root filesystem is a snapshot of containerd's
	Sandbox  bool // it says that it is a pod's sandbox
	InPod    bool // it says that it is a container of a pod
}

// Origin reads a container's record in a namespace.
func (c *Client) Origin(ctx context.Context, namespace, id string) (*Origin, error) {
	record, err := c.c.ContainerService().Get(namespaces.WithNamespace(ctx, namespace), id)
	if err != nil {
		return nil, fmt.Errorf("reading the container's record: %w", plain(err))
	}
	return &Origin{
		Image: record.Image, Created: record.CreatedAt, Labels: record.Labels, Snapshot: record.SnapshotKey != "",
		Sandbox: record.Extensions[sandboxMetadata] != nil, InPod: record.Extensions[containerMetadata] != nil,
	}, nil
}

// CRIHas asks CRI whether a pod's sandbox or container with this ID is its own.
// A sandbox is told only once it runs, some time after its task was started. A
// containerd without CRI has none.
func (c *Client) CRIHas(ctx context.Context, id string) (bool, error) {
	conn, ok := c.c.Conn().(*grpc.ClientConn)
	if !ok {
		return false, errors.New("asking CRI: the connection is of another kind")
	}
	service := cri.NewRuntimeServiceClient(conn)
	pods, err := service.ListPodSandbox(ctx, &cri.ListPodSandboxRequest{Filter: &cri.PodSandboxFilter{Id: id}})
	if err != nil {
		return false, criError(err)
	}
	if len(pods.GetItems()) > 0 {
		return true, nil
	}
	list, err := service.ListContainers(ctx, &cri.ListContainersRequest{Filter: &cri.ContainerFilter{Id: id}})
	if err != nil {
		return false, criError(err)
	}
	return len(list.GetContainers()) > 0, nil
}

func criError(err error) error {
	if status.Code(err) == codes.Unimplemented { // the plugin is switched off, as in Docker's own package
		return nil
	}
	return fmt.Errorf("asking CRI: %w", err)
}

// Kill ends all processes of a container. One that has ended already is
// ErrNotFound.
func (c *Client) Kill(ctx context.Context, namespace, id string) error {
	_, err := c.c.TaskService().Kill(namespaces.WithNamespace(ctx, namespace),
		&tasks.KillRequest{ContainerID: id, Signal: uint32(unix.SIGKILL), All: true})
	if err = plain(err); err != nil {
		return fmt.Errorf("killing the container: %w", err)
	}
	return nil
}

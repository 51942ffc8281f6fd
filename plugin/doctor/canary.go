package doctor

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"

	"github.com/phigate/phigate/plugin/conf"
	"github.com/phigate/phigate/plugin/containerd"
)

// The canary's images: alike, but that one holds a table of patients.
const (
	good = "localhost/phigate-canary:good"
	bad  = "localhost/phigate-canary:bad"
)

const (
	canaryTime = 90 * time.Second
	coldWord   = "scan in progress" // of an answer that will be another one soon
	ourWord    = "phigate: blocked" // begins each of phigate's verdicts against a container
)

// canary creates containers on a node to see what becomes of them.
type canary struct {
	client      *containerd.Client
	runtime     runtimeapi.RuntimeServiceClient
	images      runtimeapi.ImageServiceClient
	snapshotter string
	network     runtimeapi.NamespaceMode
}

// Canary sends a container with a made-up table of patients, and the same one without it, through each door:
// CRI, as the kubelet does, and containerd's own interface, as ctr and nerdctl
// do. It removes what it made.
//
// A door that no wrapper guards, and that is said to be open anyway, is no problem of its own.
func Canary(ctx context.Context, f *Facts) []Check {
	ctx, cancel := context.WithTimeout(ctx, canaryTime)
	defer cancel()
	fly, closing, err := prepare(ctx, f.Config)
	if err != nil {
		return []Check{problem("canary", "see that containerd works, then try again", "%v", err)}
	}
	defer closing()
	var out []Check
	for _, d := range []door{
		{"CRI", "phigate status, phigate decisions", true, fly.cri},
		{"ctr", "phigate install --wrapper --restart", f.Tree.Wrapped(f.runc("containerd")) || f.podless(), fly.ctr},
	} {
		out = append(out, d.verdict(fly.patiently(ctx, bad, d.try), fly.patiently(ctx, good, d.try))...)
	}
	return append(append(out, fly.clean()...), dockers(ctx)...)
}

// door is a way to a running container.
type door struct {
	name, next string
	guarded    bool // it should refuse
	try        func(ctx context.Context, image string) error
}

func prepare(ctx context.Context, c conf.Config) (*canary, func(), error) {
	client, err := containerd.Open(c.Containerd)
	if err != nil {
		return nil, nil, err
	}
	conn, err := grpc.NewClient("unix://"+c.Containerd, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, nil, errors.Join(err, client.Close())
	}
	closing := func() { conn.Close(); client.Close() }
	fly := &canary{client: client, runtime: runtimeapi.NewRuntimeServiceClient(conn), images: runtimeapi.NewImageServiceClient(conn)}
	if err := fly.ready(ctx); err != nil {
		closing()
		return nil, nil, err
	}
	return fly, closing, nil
}

// ready imports the images, and asks for the network that pods have here.
func (c *canary) ready(ctx context.Context) error {
	names, err := c.client.Snapshotters(ctx)
	if err != nil {
		return err
	}
	c.snapshotter = names[0]
	answer, err := c.runtime.Status(ctx, &runtimeapi.StatusRequest{})
	if err != nil {
		return fmt.Errorf("asking CRI how it is: %w", err)
	}
	c.network = runtimeapi.NamespaceMode_NODE
	for _, condition := range answer.GetStatus().GetConditions() {
		if condition.Type == runtimeapi.NetworkReady && condition.Status {
			c.network = runtimeapi.NamespaceMode_POD
		}
	}
	images, err := archive()
	if err != nil {
		return err
	}
	if err := c.client.Import(ctx, images, c.snapshotter); err != nil {
		return errors.Join(err, c.removeImages(ctx))
	}
	return c.known(ctx)
}

// known waits until CRI, which follows containerd's events, has the images.
func (c *canary) known(ctx context.Context) error {
	for _, image := range []string{good, bad} {
		for {
			got, err := c.images.ImageStatus(ctx, &runtimeapi.ImageStatusRequest{Image: &runtimeapi.ImageSpec{Image: image}})
			if err != nil {
				return fmt.Errorf("asking CRI for the canary's image: %w", err)
			}
			if got.GetImage() != nil {
				break
			}
			if err := pause(ctx, 20*time.Millisecond); err != nil {
				return err
			}
		}
	}
	return nil
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// patiently tries again while the image is being scanned, and when a kubelet
// has removed the pod, which is not its own, under our hands.
func (c *canary) patiently(ctx context.Context, image string, try func(context.Context, string) error) error {
	for lost := 0; ; {
		err := try(ctx, image)
		switch {
		case err == nil:
			return nil
		case strings.Contains(err.Error(), coldWord):
		case !strings.Contains(err.Error(), ourWord) && status.Code(err) == codes.NotFound && lost < 3:
			lost++
		default:
			return err
		}
		if pause(ctx, 100*time.Millisecond) != nil {
			return err
		}
	}
}

// cri has a pod and its container made, started and waited for, as a kubelet does.
func (c *canary) cri(ctx context.Context, image string) (err error) {
	unique := fmt.Sprintf("phigate-canary-%d", time.Now().UnixNano())
	space := &runtimeapi.NamespaceOption{Network: c.network, Pid: runtimeapi.NamespaceMode_CONTAINER}
	pod := &runtimeapi.PodSandboxConfig{
		Metadata: &runtimeapi.PodSandboxMetadata{Name: unique, Uid: unique, Namespace: "phigate-canary"},
		Linux:    &runtimeapi.LinuxPodSandboxConfig{SecurityContext: &runtimeapi.LinuxSandboxSecurityContext{NamespaceOptions: space}},
	}
	ran, err := c.runtime.RunPodSandbox(ctx, &runtimeapi.RunPodSandboxRequest{Config: pod})
	if err != nil {
		return fmt.Errorf("running a pod: %w", err)
	}
	defer func() { err = errors.Join(err, c.removePod(ctx, ran.PodSandboxId)) }()
	created, err := c.runtime.CreateContainer(ctx, &runtimeapi.CreateContainerRequest{
		PodSandboxId: ran.PodSandboxId, SandboxConfig: pod,
		Config: &runtimeapi.ContainerConfig{
			Metadata: &runtimeapi.ContainerMetadata{Name: "canary"},
			Image:    &runtimeapi.ImageSpec{Image: image, UserSpecifiedImage: image},
			Linux: &runtimeapi.LinuxContainerConfig{SecurityContext: &runtimeapi.LinuxContainerSecurityContext{
				NamespaceOptions: space, ReadonlyRootfs: true, NoNewPrivs: true, RunAsUser: &runtimeapi.Int64Value{Value: 65534},
				Capabilities: &runtimeapi.Capability{DropCapabilities: []string{"ALL"}},
			}},
		},
	})
	if err != nil {
		return err
	}
	if _, err := c.runtime.StartContainer(ctx, &runtimeapi.StartContainerRequest{ContainerId: created.ContainerId}); err != nil {
		return err
	}
	return c.exited(ctx, created.ContainerId)
}

func (c *canary) exited(ctx context.Context, id string) error {
	for {
		answer, err := c.runtime.ContainerStatus(ctx, &runtimeapi.ContainerStatusRequest{ContainerId: id})
		if err != nil {
			return err
		}
		if s := answer.GetStatus(); s.GetState() == runtimeapi.ContainerState_CONTAINER_EXITED {
			if s.GetExitCode() != 0 {
				return fmt.Errorf("the container ended with exit code %d", s.GetExitCode())
			}
			return nil
		}
		if err := pause(ctx, 10*time.Millisecond); err != nil {
			return err
		}
	}
}

// removePod removes it also when time is up.
func (c *canary) removePod(ctx context.Context, id string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
	defer cancel()
	_, stopped := c.runtime.StopPodSandbox(ctx, &runtimeapi.StopPodSandboxRequest{PodSandboxId: id})
	_, removed := c.runtime.RemovePodSandbox(ctx, &runtimeapi.RemovePodSandboxRequest{PodSandboxId: id})
	if status.Code(stopped) == codes.NotFound {
		stopped = nil
	}
	return errors.Join(stopped, removed)
}

// ctr has a container run as ctr does, where NRI does not look.
func (c *canary) ctr(ctx context.Context, image string) error {
	return c.client.Try(ctx, image, fmt.Sprintf("phigate-canary-%d", time.Now().UnixNano()), c.snapshotter)
}

func (c *canary) clean() []Check {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := c.removeImages(ctx); err != nil {
		return []Check{problem("canary", "ctr -n k8s.io images rm "+good+" "+bad, "%v", err)}
	}
	return nil
}

func (c *canary) removeImages(ctx context.Context) error {
	ctx = context.WithoutCancel(ctx)
	return errors.Join(c.client.RemoveImage(ctx, good), c.client.RemoveImage(ctx, bad))
}

// verdict says what the two containers show.
func (d door) verdict(onBad, onGood error) []Check {
	name := "canary through " + d.name
	first := func(err error) string { line, _, _ := strings.Cut(err.Error(), "\n"); return line }
	var out []Check
	switch {
	case onBad == nil:
		out = append(out, adviceOr(d.guarded, name, d.next, "a container with a table of patients ran: this door is open, or the policy only audits"))
	case !strings.Contains(onBad.Error(), ourWord):
		out = append(out, problem(name, "see to that, then try again", "the container with a table of patients failed for another reason: %s", first(onBad)))
	default:
		out = append(out, ok(name, "a container with a table of patients is refused: %s", first(onBad)))
	}
	if onGood != nil {
		return append(out, problem(name, "phigate decisions", "the same container without it does not run: %s", first(onGood)))
	}
	return append(out, ok(name, "the same container without it runs"))
}

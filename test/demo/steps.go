package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"

	"github.com/phigate/phigate/test/gate"
	"github.com/phigate/phigate/test/node"
)

// create runs a pod in namespace clinic-a and creates its one container, the
// same but for the image in both cases. The error is CreateContainer's own.
func (d *demo) create(ctx context.Context, name string) (id string, refused, err error) {
	pod, err := d.node.RunPod(ctx, node.PodOptions{Namespace: "clinic-a", Name: name})
	if err != nil {
		return "", nil, err
	}
	id, refused = d.node.Create(ctx, pod, node.ContainerOptions{
		Name: name, Image: gate.Image(name),
		Command: []string{"/bin/sh", "-c", "echo up and running as user $(id -u); exec sleep 1000"},
		User:    1000, ReadonlyRoot: true, NoNewPrivs: true,
	})
	return id, refused, ctx.Err()
}

// compliant creates and starts a container that nothing speaks against.
func (d *demo) compliant(ctx context.Context) error {
	say("\n1. clinic-a/web: a compliant container")
	id, refused, err := d.create(ctx, "web")
	if err != nil {
		return err
	}
	if refused != nil {
		return fmt.Errorf("the compliant container was refused at its creation: %w", refused)
	}
	say("   CreateContainer: created")
	if err := d.node.StartContainer(ctx, id); err != nil {
		return fmt.Errorf("the compliant container was refused at its start: %w", err)
	}
	say("   StartContainer:  started")
	printed, err := d.printed(ctx, id)
	if err != nil {
		return err
	}
	say("   it says:         %s", printed)
	return nil
}

// printed waits for what the container prints while it runs.
func (d *demo) printed(ctx context.Context, id string) (string, error) {
	const want = "up and running as user 1000"
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	for {
		out, err := d.node.Output(ctx, id)
		if err == nil && strings.TrimSpace(out) == want {
			break
		}
		select {
		case <-ctx.Done():
			return "", fmt.Errorf("the compliant container printed %q, not %q (%w)", out, want, errors.Join(err, ctx.Err()))
		case <-time.After(10 * time.Millisecond):
		}
	}
	status, err := d.node.State(ctx, id)
	if err == nil && status.State != runtimeapi.ContainerState_CONTAINER_RUNNING {
		err = fmt.Errorf("the compliant container is not running: %v", status.State)
	}
	return want, err
}

// number finds the decision's number in an answer.
var number = regexp.MustCompile(`phigate decisions (\d+)`)

// violating creates a container that breaks two rules, both of which the
// answer and the log must name.
func (d *demo) violating(ctx context.Context) error {
	say("\n2. clinic-a/portal: its image holds %s and offers port 21", secret)
	_, refused, err := d.create(ctx, "portal")
	if err != nil {
		return err
	}
	if refused == nil {
		return errors.New("the container with patient data in its image was created")
	}
	answer := refused.Error()
	say("   CreateContainer answers:\n\n%s", answer)
	if err := names(answer, "phigate: blocked clinic-a/portal", secret, "no-patient-files", "port 21", "plaintext-ports"); err != nil {
		return fmt.Errorf("the answer to CreateContainer %w", err)
	}
	seq := number.FindStringSubmatch(answer)
	if seq == nil {
		return errors.New("the answer to CreateContainer names no decision")
	}
	say("\n3. The decision log")
	if _, err := d.phigate(ctx, "decisions"); err != nil {
		return err
	}
	text, err := d.phigate(ctx, "decisions", seq[1])
	if err != nil {
		return err
	}
	if err := names(text, secret, "no-patient-files", "plaintext-ports", "BLOCKED  clinic-a/portal"); err != nil {
		return fmt.Errorf("decision %s %w", seq[1], err)
	}
	return nil
}

// doctor looks over the demo's node, and sends a container that must be refused and one that must run. It may well
// find that this machine is no node: no units, no wrapper, no journal that is kept.
func (d *demo) doctor(ctx context.Context) error {
	say("\n4. What the doctor says of this node")
	args := []string{"doctor", "--canary", "--containerd-config", filepath.Join(d.node.Dir, "config.toml"), "--config", d.gate.Config}
	say("\n$ phigate %s", strings.Join(args, " "))
	out, err := exec.CommandContext(ctx, filepath.Join(d.root, "bin/phigate"), args...).CombinedOutput()
	fmt.Print(string(out))
	var exit *exec.ExitError
	if err != nil && !(errors.As(err, &exit) && exit.ExitCode() == problems) {
		return fmt.Errorf("running phigate doctor: %w", err)
	}
	err = names(string(out), "required: containerd's configuration requires phigate", "canary through CRI: a container with a table of patients is refused",
		"canary through CRI: the same container without it runs")
	if err != nil {
		return fmt.Errorf("the doctor %w", err)
	}
	return nil
}

// problems is how doctor ends where it has found some.
const problems = 3

// names is an error where the text lacks one of the words.
func names(text string, words ...string) error {
	for _, word := range words {
		if !strings.Contains(text, word) {
			return fmt.Errorf("does not say %q", word)
		}
	}
	return nil
}

// phigate runs the command as an operator would, and prints it with what it
// prints.
func (d *demo) phigate(ctx context.Context, args ...string) (string, error) {
	args = append(args, "--config", d.gate.Config)
	say("\n$ phigate %s", strings.Join(args, " "))
	out, err := exec.CommandContext(ctx, filepath.Join(d.root, "bin/phigate"), args...).CombinedOutput()
	fmt.Print(string(out))
	if err != nil {
		return "", fmt.Errorf("running phigate %s: %w", args[0], err)
	}
	return string(out), nil
}

package doctor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"time"
)

// dockers sends both containers through Docker, by its own command line, where there is one and dockerd answers. What it
// has loaded it removes.
func dockers(ctx context.Context) []Check {
	program, err := exec.LookPath("docker")
	if err != nil {
		return nil
	}
	d := docked(program)
	if _, err := d.do(ctx, nil, "version", "--format", "{{.Server.Version}}"); err != nil {
		return []Check{unknown("canary through Docker", "systemctl status docker, or remove its command line", "dockerd does not answer")}
	}
	images, err := archive()
	if err == nil {
		_, err = d.do(ctx, images, "load")
	}
	defer d.clean(ctx)
	if err != nil {
		return []Check{problem("canary", "see that Docker works, then try again", "%v", err)}
	}
	through := door{"Docker", "phigate install --wrapper --restart", true, d.run}
	return through.verdict(d.run(ctx, bad), d.run(ctx, good))
}

// docked is Docker's command line.
type docked string

// do runs it. Its words are the error where it fails.
func (d docked) do(ctx context.Context, stdin io.Reader, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, string(d), args...)
	cmd.Stdin, cmd.WaitDelay = stdin, time.Second
	out, err := cmd.CombinedOutput()
	out = bytes.TrimSpace(out)
	if err != nil && len(out) > 0 {
		return "", errors.New(string(out))
	}
	if err != nil {
		return "", fmt.Errorf("running docker %s: %w", args[0], err)
	}
	return string(out), nil
}

func (d docked) run(ctx context.Context, image string) error {
	_, err := d.do(ctx, nil, "run", "--rm", "--network", "none", "--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", image)
	return err
}

// clean also removes them when time is up.
func (d docked) clean(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
	defer cancel()
	_, _ = d.do(ctx, nil, "rmi", "--force", good, bad) // what cannot be removed is an image of two kilobytes
}

package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/phigate/phigate/plugin/ask"
	"github.com/phigate/phigate/plugin/conf"
	"github.com/phigate/phigate/plugin/containerd"
	"github.com/phigate/phigate/plugin/install"
)

const installLong = `Install puts phigate in front of this node's containers: folders, phigate.yaml and
an example policy where there are none, the units phigated.service and phigated.socket, and the
drop-in 10-phigate.toml for containerd, which the main configuration is made to
import. What it touches is backed up first, in /var/lib/phigate/backup; a second
run changes nothing.

containerd requires phigate (no container is created without it) from version
2.2 on, and only once phigated has registered. Where a step is left to do,
install says which, and how; it is safe to run it again and again.

--wrapper puts phigate-runc in front of runc, for all that NRI does not see: first
in the PATH of containerd's and docker's units, and by name (BinaryName, Docker's
default-runtime) where runc is named by its path. --wrapper=binaryname uses names
alone, which guards the kubelet's pods and docker run, and neither ctr nor docker build.

containerd is never restarted without --restart. On k3s and RKE2, which write
containerd's configuration themselves, install prints what to do instead.`

// installer is the command's work on one node.
type installer struct {
	root    string
	dry     bool
	restart bool
	wrap    string
	require string
	verify  bool
	version string
	noStart bool

	tree    *install.Tree
	out     io.Writer
	changed []string // paths, over all rounds
	left    []string
}

func newInstallCommand() *cobra.Command {
	var i installer
	cmd := &cobra.Command{
		Use:     "install",
		Short:   "Put phigate in front of this node's containers",
		Long:    installLong,
		Example: "  phigate install --dry-run\n  phigate install --restart\n  phigate install --wrapper --restart\n  phigate install --wrapper=binaryname",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			i.out = cmd.OutOrStdout()
			if !slices.Contains([]string{"", string(install.WrapAuto), string(install.WrapPath), string(install.WrapBinaryName)}, i.wrap) {
				return usage("--wrapper=%s: it is path, binaryname or auto", i.wrap)
			}
			if i.require != "" && i.require != install.RequireYes && i.require != install.RequireNo {
				return usage("--require=%s: it is yes or no", i.require)
			}
			tree, err := openNode(i.root)
			if err != nil {
				return err
			}
			defer tree.Close()
			i.tree = tree
			return i.run(cmd.Context())
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&i.dry, "dry-run", false, "show what would change, and change nothing")
	flags.BoolVar(&i.restart, "restart", false, "restart containerd (and docker) where that is needed")
	flags.StringVar(&i.wrap, "wrapper", "", "put the runc wrapper in front of runc: path (of containerd's and docker's units), binaryname (of CRI's handlers and Docker), or auto")
	flags.Lookup("wrapper").NoOptDefVal = string(install.WrapAuto)
	flags.BoolVar(&i.verify, "image-verifier", false, "have containerd ask about images before it pulls them (an early warning, 2.1 or later)")
	flags.StringVar(&i.require, "require", "", "have containerd require phigate: yes, or no where the wrapper alone guards this node")
	flags.BoolVar(&i.noStart, "no-start", false, "write files alone: start and enable nothing")
	flags.StringVar(&i.version, "containerd-version", "", "the version of containerd, where it does not run")
	flags.StringVar(&i.root, "root", "/", "the node's file tree")
	return cmd
}

func openNode(root string) (*install.Tree, error) {
	tree, err := install.OpenTree(root)
	if err != nil {
		return nil, &ExitError{ExitUsage, err}
	}
	return tree, nil
}

func (i *installer) run(ctx context.Context) error {
	if done, err := i.round(ctx); err != nil || done {
		return err
	}
	if i.tree.Live() && !i.noStart && !i.dry {
		if err := i.start(ctx); err != nil {
			return err
		}
	}
	return i.finish()
}

// round plans and applies once. Where nothing more is to be done it says so.
func (i *installer) round(ctx context.Context) (done bool, err error) {
	plan, err := install.Install(i.tree, i.node(ctx))
	if err != nil {
		return true, &ExitError{ExitUsage, err}
	}
	i.left = plan.Left
	if plan.Managed != "" {
		fmt.Fprintf(i.out, "%s writes containerd's configuration itself, so nothing is changed here. Do this:\n", plan.Managed)
		i.steps()
		return true, &ExitError{Code: ExitBlocked}
	}
	for _, name := range plan.Kept {
		fmt.Fprintf(i.out, "kept     %s: edited since it was installed\n", name)
	}
	if i.dry {
		fmt.Fprint(i.out, plan.Diff())
		if len(plan.Changes) == 0 {
			fmt.Fprintln(i.out, "nothing would change")
		}
		i.steps()
		return true, nil
	}
	if err := i.tree.Apply(plan); err != nil {
		return true, err
	}
	for _, c := range plan.Changes {
		fmt.Fprintf(i.out, "written  %s: %s\n", c.Path, c.Why)
		i.changed = append(i.changed, c.Path)
	}
	return false, nil
}

// node finds out what the files do not tell.
func (i *installer) node(ctx context.Context) install.Node {
	n := install.Node{Containerd: i.version, Wrap: install.Wrap(i.wrap), Require: i.require, Verify: i.verify}
	if !i.tree.Live() {
		return n
	}
	c := i.config()
	if n.Containerd == "" {
		n.Containerd, _, _ = askContainerd(ctx, c.Containerd) // not known: the plan says what is left
	}
	if s, err := ask.GetStatus(ctx, c.Socket); err == nil {
		n.Registered = s.Runtime.Connected
	}
	return n
}

// config is phigate's own, or the one that install is about to write.
func (i *installer) config() conf.Config {
	if c, err := conf.Load(conf.DefaultPath); err == nil {
		return c
	}
	c := conf.Default()
	if disk, err := install.ReadContainerd(i.tree); err == nil && disk.Address() != "" {
		c.Containerd = disk.Address()
	}
	return c
}

func askContainerd(ctx context.Context, socket string) (version string, snapshotters []string, err error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	client, err := containerd.Open(socket)
	if err != nil {
		return "", nil, err
	}
	defer client.Close()
	if version, err = client.Check(ctx); err != nil {
		return "", nil, err
	}
	snapshotters, err = client.Snapshotters(ctx)
	return version, snapshotters, err
}

// start has phigated run, and containerd read what was written. What can only
// be written once phigate is registered is written then.
func (i *installer) start(ctx context.Context) error {
	if err := i.phigated(ctx); err != nil {
		return err
	}
	for range 2 { // where NRI was off, one restart registers phigate and the next one requires it
		if i.registered(ctx, 5*time.Second) {
			if done, err := i.round(ctx); err != nil || done {
				return err
			}
		}
		units := i.stale()
		if len(units) == 0 {
			return nil
		}
		if !i.restart {
			i.left = append(i.left, fmt.Sprintf("%s runs with what was configured before: systemctl restart %s (or phigate install --restart)", units[0], strings.Join(units, " ")))
			return nil
		}
		for _, unit := range units {
			if err := i.systemctl(ctx, "restart", unit); err != nil {
				return err
			}
		}
		i.registered(ctx, 15*time.Second)
	}
	if done, err := i.round(ctx); err != nil || done {
		return err
	}
	return nil
}

// units are phigate's own, in the order in which they start.
func units() []string { return []string{"phigated.socket", "phigated"} }

func (i *installer) phigated(ctx context.Context) error {
	if len(i.changed) > 0 {
		if err := i.systemctl(ctx, "daemon-reload"); err != nil {
			return err
		}
	}
	if slices.Contains(i.changed, install.CatalogueFile) {
		if out, err := exec.CommandContext(ctx, "journalctl", "--update-catalog").CombinedOutput(); err != nil {
			i.left = append(i.left, "journalctl --update-catalog did not work: "+firstLine(out, err))
		}
	}
	if _, err := ask.GetStatus(ctx, i.config().Socket); err != nil {
		return i.systemctl(ctx, append([]string{"enable", "--now"}, units()...)...)
	}
	if slices.Contains(i.changed, install.UnitFile) || slices.Contains(i.changed, install.SocketFile) {
		i.left = append(i.left, "phigated runs with its former units: systemctl enable phigated.socket phigated && systemctl restart phigated")
	}
	return nil
}

// registered waits until containerd asks phigate.
func (i *installer) registered(ctx context.Context, within time.Duration) bool {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	for {
		s, err := ask.GetStatus(ctx, i.config().Socket)
		if err == nil && s.Runtime.Connected {
			return true
		}
		select {
		case <-ctx.Done():
			return false
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// stale lists the units that run with an older configuration than lies on the disk.
func (i *installer) stale() []string {
	var out []string
	if i.tree.Stale(i.config().Containerd) {
		out = append(out, "containerd")
	}
	if slices.Contains(i.changed, path.Join("/etc/systemd/system/docker.service.d", install.WrapperDropIn)) || slices.Contains(i.changed, install.DockerConfig) {
		out = append(out, "docker")
	}
	return out
}

func (i *installer) systemctl(ctx context.Context, args ...string) error {
	return systemctl(ctx, i.out, args...)
}

// systemctl runs it; where there is none, it says what would have to be done.
func systemctl(ctx context.Context, out io.Writer, args ...string) error {
	program, err := exec.LookPath("systemctl")
	if err != nil {
		return fmt.Errorf("there is no systemctl here: have your init system do the same as: systemctl %s; or --no-start", strings.Join(args, " "))
	}
	fmt.Fprintf(out, "running  systemctl %s\n", strings.Join(args, " "))
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.WaitDelay = time.Second
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("running systemctl %s: %w; see: journalctl -xe", strings.Join(args, " "), err)
	}
	return nil
}

func firstLine(out []byte, err error) string {
	if line, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n"); line != "" {
		return line
	}
	return err.Error()
}

// finish says how it stands.
func (i *installer) finish() error {
	if len(i.changed) == 0 {
		fmt.Fprintln(i.out, "nothing to change")
	}
	i.steps()
	if len(i.left) == 0 {
		fmt.Fprintln(i.out, "installed; see: phigate doctor")
	}
	return nil
}

func (i *installer) steps() {
	for n, step := range i.left {
		fmt.Fprintf(i.out, "to do %d  %s\n", n+1, step)
	}
}

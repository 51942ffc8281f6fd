package cli

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/phigate/phigate/plugin/conf"
	"github.com/phigate/phigate/plugin/install"
)

const uninstallLong = `Uninstall puts back what phigate install has changed. A file that was edited since
is kept, and named. The decision log and what else phigated wrote into its state folder stay.

containerd comes first: the drop-in that makes it require phigate goes, and
phigated goes only when containerd was started anew since, for until then it
would refuse every container. With --restart containerd is restarted in
between; without, restart it and run this again.`

// uninstaller is the command's work on one node.
type uninstaller struct {
	root    string
	dry     bool
	restart bool

	tree *install.Tree
	out  io.Writer
}

func newUninstallCommand() *cobra.Command {
	var u uninstaller
	cmd := &cobra.Command{
		Use:   "uninstall",
		Short: "Put this node back as it was before phigate install",
		Long:  uninstallLong,
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			u.out = cmd.OutOrStdout()
			tree, err := openNode(u.root)
			if err != nil {
				return err
			}
			defer tree.Close()
			u.tree = tree
			return u.run(cmd.Context())
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&u.dry, "dry-run", false, "show what would change, and change nothing")
	flags.BoolVar(&u.restart, "restart", false, "restart containerd where that is needed")
	flags.StringVar(&u.root, "root", "/", "the node's file tree")
	return cmd
}

func (u *uninstaller) run(ctx context.Context) error {
	r, err := install.Uninstall(u.tree)
	if err != nil {
		return &ExitError{ExitUsage, err}
	}
	if !r.Known {
		fmt.Fprintln(u.out, "phigate install has changed nothing here: nothing to put back")
		return nil
	}
	if u.dry {
		fmt.Fprint(u.out, r.Release.Diff(), r.Rest.Diff())
		u.kept(r)
		return nil
	}
	if err := u.release(ctx, r); err != nil {
		return err
	}
	if u.tree.Live() {
		if err := systemctl(ctx, u.out, "disable", "--now", "phigated"); err != nil {
			return err
		}
	}
	if err := u.tree.Remove(r); err != nil {
		return err
	}
	u.said(r.Rest)
	u.kept(r)
	if u.tree.Live() {
		return systemctl(ctx, u.out, "daemon-reload")
	}
	return nil
}

// release frees containerd, and demands that it was started anew since.
func (u *uninstaller) release(ctx context.Context, r *install.Removal) error {
	now := install.Moment{}
	if u.tree.Live() {
		var err error
		if now, err = install.Now(); err != nil {
			return err
		}
	}
	if err := u.tree.Release(r, now); err != nil {
		return err
	}
	u.said(r.Release)
	if !u.tree.Live() {
		return nil
	}
	if r.Wrapped {
		if err := systemctl(ctx, u.out, "daemon-reload"); err != nil {
			return err
		}
	}
	since := now
	if r.Released != nil {
		since = *r.Released
	}
	if !r.Requires && r.Released == nil || u.restarted(since) {
		return nil
	}
	if u.restart {
		return systemctl(ctx, u.out, "restart", "containerd")
	}
	fmt.Fprintln(u.out, "containerd still runs with the configuration that requires phigate, so phigated stays for now.\n"+
		"to do 1  systemctl restart containerd, then phigate uninstall again (or phigate uninstall --restart)")
	return &ExitError{Code: ExitBlocked}
}

// restarted says whether containerd does not run, or began after the moment.
func (u *uninstaller) restarted(since install.Moment) bool {
	c, err := conf.Load(conf.DefaultPath)
	if err != nil {
		c = conf.Default()
	}
	pid, err := install.Listener(c.Containerd)
	if err != nil {
		return true
	}
	began, err := install.Started(pid)
	return err == nil && began.After(since)
}

func (u *uninstaller) said(p install.Plan) {
	for _, c := range p.Changes {
		fmt.Fprintf(u.out, "put back %s\n", c.Path)
	}
}

func (u *uninstaller) kept(r *install.Removal) {
	for _, p := range []install.Plan{r.Release, r.Rest} {
		for _, name := range p.Kept {
			fmt.Fprintf(u.out, "kept     %s: edited since it was installed; what was there before is in %s\n", name, install.Backup)
		}
	}
}

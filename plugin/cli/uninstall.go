package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/phigate/phigate/plugin/conf"
	"github.com/phigate/phigate/plugin/install"
)

const uninstallLong = `Uninstall puts back what phigate install has changed. A file that was edited since
is kept, and named. The decision log and what else phigated wrote into its state folder stay.

containerd and docker come first: what makes them need phigate goes, and phigated
goes only when they were started anew since, for until then they would refuse
every container. With --restart they are restarted in between; without, restart
them and run this again.

Where something else leads to the wrapper or the hook, put in by hand or edited
since, uninstall names it and changes nothing.`

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
	flags.BoolVar(&u.restart, "restart", false, "restart containerd (and docker) where that is needed")
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
		if err := systemctl(ctx, u.out, append([]string{"disable", "--now"}, units()...)...); err != nil {
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
	pending := u.pending(r, since)
	if len(pending) == 0 {
		return nil
	}
	if u.restart {
		for _, unit := range pending {
			if err := systemctl(ctx, u.out, "restart", unit); err != nil {
				return err
			}
		}
		return nil
	}
	units := strings.Join(pending, " ")
	fmt.Fprintf(u.out, "%s still runs with the configuration that needs phigate, so phigated stays for now.\n"+
		"to do 1  systemctl restart %s, then phigate uninstall again (or phigate uninstall --restart)\n", units, units)
	return &ExitError{Code: ExitBlocked}
}

// pending are the clients that would refuse containers without phigated until they are started anew.
func (u *uninstaller) pending(r *install.Removal, since install.Moment) []string {
	c, err := conf.Load(conf.DefaultPath)
	if err != nil {
		c = conf.Default()
	}
	var out []string
	for unit, find := range map[string]func() (int, error){
		"containerd": func() (int, error) { return install.Listener(c.Containerd) },
		"docker":     func() (int, error) { return install.PIDFile(dockersPID) },
	} {
		pid, err := find()
		if err != nil {
			continue // it does not run
		}
		began, err := install.Started(pid)
		old := slices.Contains(r.Restart, unit) && (err != nil || !began.After(since))
		if old || r.Binds(install.PathOf(pid)) {
			out = append(out, unit)
		}
	}
	slices.Sort(out)
	return out
}

// dockersPID is where dockerd notes its process (dockerd --pidfile). Its socket is often systemd's, and tells nothing.
const dockersPID = "/run/docker.pid"

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

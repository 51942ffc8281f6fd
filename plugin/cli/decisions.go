package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/phigate/phigate/plugin/audit"
	"github.com/phigate/phigate/plugin/conf"
	"github.com/phigate/phigate/plugin/report"
	"github.com/phigate/phigate/policy"
)

// newest is how many decisions are listed where nothing else is said.
const newest = 20

const decisionsLong = `Decisions lists what the gate on this node decided, oldest first: the newest 20,
or with --all the whole log. With the number of a decision it shows that one in
full. --follow goes on with what is decided from now on. Heartbeats, which say no
more than that the log lives, are listed with --all alone.

--format json writes one JSON object per line, as it was logged.`

// decisions is what the command was asked for.
type decisions struct {
	seq        uint64
	follow     bool
	all        bool
	format     string
	stateDir   string
	config     string
	isExplicit bool // --config was given
}

func newDecisionsCommand() *cobra.Command {
	var d decisions
	cmd := &cobra.Command{
		Use:   "decisions [SEQ]",
		Short: "Show what the gate on this node decided",
		Long:  decisionsLong,
		Example: "  phigate decisions\n  phigate decisions 4711\n  phigate decisions --follow\n" +
			"  phigate decisions --all --format json | jq 'select(.verdict == \"block\")'",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			d.isExplicit = cmd.Flags().Changed("config")
			if err := d.check(args); err != nil {
				return err
			}
			return d.run(cmd.Context(), cmd.OutOrStdout())
		},
	}
	flags := cmd.Flags()
	flags.BoolVarP(&d.follow, "follow", "f", false, "go on with what is decided from now on")
	flags.BoolVar(&d.all, "all", false, "list the whole log")
	flags.StringVar(&d.format, "format", "text", "text or json")
	flags.StringVar(&d.stateDir, "state-dir", "", "phigated's state folder (default: the configuration's)")
	flags.StringVar(&d.config, "config", conf.DefaultPath, "phigated's configuration")
	return cmd
}

func (d *decisions) check(args []string) error {
	if d.format != "text" && d.format != "json" {
		return usage("--format %q: it is text or json", d.format)
	}
	if len(args) == 0 {
		return nil
	}
	seq, err := strconv.ParseUint(args[0], 10, 64)
	if err != nil || seq == 0 {
		return usage("%q is not the number of a decision: the first column of `phigate decisions`", args[0])
	}
	if d.follow || d.all {
		return usage("a decision's number goes with neither --follow nor --all")
	}
	d.seq = seq
	return nil
}

func (d *decisions) run(ctx context.Context, out io.Writer) error {
	dir, err := d.state()
	if err != nil {
		return err
	}
	path := conf.Config{StateDir: dir}.Log()
	switch {
	case d.seq > 0:
		err = d.showOne(ctx, path, out)
	default:
		err = d.list(ctx, path, out)
	}
	return explainLog(err, path)
}

// list writes the newest, and what follows them.
func (d *decisions) list(ctx context.Context, path string, out io.Writer) (err error) {
	from := uint64(1)
	if !d.all {
		if from, err = audit.LastOf(ctx, path, newest); err != nil {
			return err
		}
	}
	each := func(e audit.Entry) error {
		switch {
		case d.format == "json":
			return writeLine(out, e.Raw)
		case e.Decision.Kind == audit.KindHeartbeat && !d.all:
			return nil
		}
		return report.List(out, []*policy.Decision{e.Decision})
	}
	if !d.follow {
		return audit.Entries(ctx, path, from, each)
	}
	err = audit.Follow(ctx, path, from, each)
	if ctx.Err() != nil { // interrupted, which is how following ends
		return nil
	}
	return err
}

// errShown ends the reading of the log behind the record that was wanted.
var errShown = errors.New("shown")

func (d *decisions) showOne(ctx context.Context, path string, out io.Writer) error {
	err := audit.Entries(ctx, path, d.seq, func(e audit.Entry) error {
		if e.Seq != d.seq {
			return usage("no decision %d: the next one that is here is %d; others may have been archived, or be in a segment that was set aside, %s/*.damaged-*", d.seq, e.Seq, path)
		}
		write := func() error { return report.Text(out, e.Decision, colored(out)) }
		if d.format == "json" {
			write = func() error { return writeLine(out, e.Raw) }
		}
		if err := write(); err != nil {
			return err
		}
		return errShown
	})
	switch {
	case errors.Is(err, errShown):
		return nil
	case err != nil:
		return err
	}
	return usage("no decision %d in %s: see the newest with `phigate decisions`", d.seq, path)
}

func writeLine(out io.Writer, raw []byte) error {
	_, err := fmt.Fprintf(out, "%s\n", raw)
	return err
}

// colored says whether out is a terminal whose user wants colour
// (https://no-color.org).
func colored(out io.Writer) bool {
	f, ok := out.(*os.File)
	return ok && os.Getenv("NO_COLOR") == "" && term.IsTerminal(int(f.Fd()))
}

// explainLog adds the next step to what opening and reading a log can meet.
func explainLog(err error, path string) error {
	var damage *audit.DamageError
	switch {
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: the log belongs to root; run as root, or with sudo", err)
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("no decision log at %s: has phigated run on this node? If its state folder is elsewhere, say so with --state-dir or --config", path)
	case errors.As(err, &damage):
		return &ExitError{ExitTampered, fmt.Errorf("%w; keep a copy of the folder, then restart phigated: it sets the segment aside and goes on in a new one", err)}
	}
	return err
}

// state is phigated's state folder: as given, else as configured.
func (d *decisions) state() (string, error) {
	node, err := d.node()
	return node.StateDir, err
}

// node is the node's configuration, with the state folder that was given.
func (d *decisions) node() (conf.Config, error) {
	c, err := conf.Load(d.config)
	switch {
	case d.stateDir != "" && !d.isExplicit && err != nil, errors.Is(err, fs.ErrNotExist) && !d.isExplicit:
		c = conf.Default()
	case errors.Is(err, fs.ErrNotExist):
		return c, usage("%w: name the file that phigated runs with, or give --state-dir", err)
	case err != nil:
		return c, &ExitError{ExitUsage, err}
	}
	if d.stateDir != "" {
		c.StateDir = d.stateDir
	}
	return c, nil
}

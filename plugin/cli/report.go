package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/phigate/phigate/plugin/conf"
	"github.com/phigate/phigate/plugin/inspect"
	"github.com/phigate/phigate/plugin/report"
	"github.com/phigate/phigate/plugin/report/period"
)

const reportLong = `Report sums what the gate decided, for a compliance officer: whether the log can
be trusted, what was refused and admitted over time, violations with their fixes,
people possibly affected, what was found by paragraph of the Security Rule,
exceptions, what could not be looked at, and which policies were in force.

--format html is one page that needs no network and no script, and prints well.
json has all of it for programs; csv has the violations for a spreadsheet.

With --log, given once for each node, the logs of several nodes make one report:
each is a copy of a node's state folder, or of the log in it. Without it this
node's own log is read.

Each log is verified as phigate audit verify does. A --checkpoint that was kept
elsewhere, and the --key of the log, prove more; they are held against the log
whose name they bear.

--from and --to are days in UTC (2026-11-30, that day included) or moments
(2026-11-30T08:00:00Z).

It ends with 4 where a log is damaged; the report then has what could be read.`

// reporting is what the command was asked for.
type reporting struct {
	stretch
	logs       []string // folders
	proofs     proofFlags
	format     string
	output     string
	stateDir   string
	config     string
	isExplicit bool // --config was given
	version    string
	now        func() time.Time
	read       map[string]string // the folder of each log, by its ID
}

func newReportCommand() *cobra.Command {
	r := reporting{now: time.Now}
	cmd := &cobra.Command{
		Use:   "report",
		Short: "Sum what the gate decided, for a compliance officer",
		Long:  reportLong,
		Example: "  phigate report --from 2026-07-01 --to 2026-09-30 -o q3.html\n" +
			"  phigate report --log node-1/phigate --log node-2/phigate -o clinic.html\n  phigate report --format csv > violations.csv",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			r.isExplicit, r.version = cmd.Flags().Changed("config"), cmd.Root().Version
			return r.run(cmd.Context(), cmd.OutOrStdout())
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&r.from, "from", "", "the first day or moment")
	flags.StringVar(&r.to, "to", "", "the last day, or the moment before which it ends")
	flags.StringVar(&r.format, "format", "html", "html, json or csv")
	flags.StringVarP(&r.output, "output", "o", "", "write to this file, and not to standard output")
	flags.StringArrayVar(&r.logs, "log", nil, "a node's state folder or log, or a copy; may be given several times")
	r.proofs.add(cmd)
	flags.StringVar(&r.stateDir, "state-dir", "", "phigated's state folder (default: the configuration's)")
	flags.StringVar(&r.config, "config", conf.DefaultPath, "phigated's configuration")
	return cmd
}

// reportWriters are the formats.
func reportWriters() map[string]func(io.Writer, *period.Report) error {
	return map[string]func(io.Writer, *period.Report) error{"html": period.HTML, "json": period.JSON, "csv": period.CSV}
}

func (r *reporting) run(ctx context.Context, out io.Writer) error {
	write := reportWriters()[r.format]
	if write == nil {
		return usage("--format %q: it is html, json or csv", r.format)
	}
	from, to, err := r.times()
	if err != nil {
		return err
	}
	if len(r.logs) > 0 && r.stateDir != "" {
		return usage("--log and --state-dir name the same thing; give one of them")
	}
	dirs := r.logs
	if len(dirs) == 0 {
		dir, err := stateOf(r.stateDir, r.config, r.isExplicit)
		if err != nil {
			return err
		}
		dirs = []string{dir}
	}
	r.read = map[string]string{}
	sum := period.New(from, to, inspect.Catalogue())
	var damage error
	for i, dir := range dirs {
		if slices.ContainsFunc(dirs[:i], func(other string) bool { return filepath.Clean(other) == filepath.Clean(dir) }) {
			return usage("--log %s is given twice; its decisions would count twice", dir)
		}
		bad, err := r.addLog(ctx, sum, logIn(dir))
		if err != nil {
			return explainAudit(err, logIn(dir))
		}
		damage = errors.Join(damage, bad)
	}
	return errors.Join(r.write(out, write, sum.Finish(r.now(), r.version)), damage)
}

// addLog adds the records of the log in a folder, as far as they can be read, and
// what its verification came to. What is wrong with the log is bad, and the
// report is written all the same.
func (r *reporting) addLog(ctx context.Context, sum *period.Collector, dir string) (bad, err error) {
	name := dir // until a record says the log's own
	err = eachEntry(ctx, dir, 1, func(e report.Entry) error {
		if other := r.read[e.LogID]; other != "" && other != dir {
			return usage("%s and %s are of one log, %s, whose decisions would count twice; where each has a part of it, put their segments into one folder", other, dir, e.LogID)
		}
		name, r.read[e.LogID] = e.LogID, dir
		sum.Add(name, e)
		return nil
	})
	if err != nil && !tampered(err) {
		return nil, err
	}
	proof, err := r.proofs.of(ctx, dir, name)
	if err != nil {
		return nil, err
	}
	sum.Log(name, proof)
	if !proof.Verified {
		bad = &ExitError{ExitTampered, fmt.Errorf("log %s: %s; see: phigate audit verify --log %s", name, proof.Problem, dir)}
	}
	return bad, nil
}

func (r *reporting) write(out io.Writer, write func(io.Writer, *period.Report) error, report *period.Report) (err error) {
	if r.output == "" {
		return write(out, report)
	}
	file, err := os.OpenFile(r.output, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	return write(file, report)
}

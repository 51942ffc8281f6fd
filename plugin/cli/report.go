package cli

import (
	"context"
	"errors"
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
each is a copy of a node's state folder. Without it this node's own log is read.

--from and --to are days in UTC (2026-11-30, that day included) or moments
(2026-11-30T08:00:00Z).

It ends with 4 where a log is damaged; the report then has what could be read.`

// reporting is what the command was asked for.
type reporting struct {
	stretch
	logs       []string // state folders
	format     string
	output     string
	stateDir   string
	config     string
	isExplicit bool // --config was given
	version    string
	now        func() time.Time
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
	flags.StringArrayVar(&r.logs, "log", nil, "a node's state folder, or a copy of it; may be given several times")
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
	sum := period.New(from, to, inspect.Catalogue())
	var damage error
	for i, dir := range dirs {
		if slices.ContainsFunc(dirs[:i], func(other string) bool { return filepath.Clean(other) == filepath.Clean(dir) }) {
			return usage("--log %s is given twice; its decisions would count twice", dir)
		}
		if err := addLog(ctx, sum, dir); tampered(err) {
			damage = errors.Join(damage, explainLog(err, logPath(dir)))
		} else if err != nil {
			return explainLog(err, logPath(dir))
		}
	}
	return errors.Join(r.write(out, write, sum.Finish(r.now(), r.version)), damage)
}

// addLog adds the records of the log in a state folder, as far as they can be
// read, and says what its integrity is.
func addLog(ctx context.Context, sum *period.Collector, dir string) error {
	path, upTo := logPath(dir), uint64(0)
	name := path // until a record says the log's own
	err := eachEntry(ctx, path, 1, func(e report.Entry) error {
		name, upTo = e.LogID, e.Seq
		sum.Add(name, e)
		return nil
	})
	proof := period.Proof{UpTo: upTo, Problem: "its checksums hold, which proves nothing against a person; see: phigate audit verify"}
	if err != nil {
		proof.Problem = err.Error()
	}
	sum.Log(name, proof)
	return err
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

package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/phigate/phigate/plugin/audit"
	"github.com/phigate/phigate/plugin/conf"
	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/config"
)

const exceptionsLong = `Exceptions lists those of the policy files, which end soonest first: how long each
holds, how many decisions used it and when one last did, as the decision log of
this node says. Without files it reads those that phigated is configured with.

The moment is that of the newest record where that is later than the clock, as it
is for the gate: a clock that is set back revives no exception.`

// exceptions is what the command was asked for.
type exceptions struct {
	format string
	log    decisions // where the log lies
}

func newExceptionsCommand(catalogue func() []policy.Info) *cobra.Command {
	var x exceptions
	cmd := &cobra.Command{
		Use:     "exceptions [FILE|DIR...]",
		Short:   "List the exceptions with their remaining time and their uses",
		Long:    exceptionsLong,
		Example: "  phigate exceptions\n  phigate exceptions --format json /etc/phigate/policies.d",
		RunE: func(cmd *cobra.Command, args []string) error {
			if x.format != "text" && x.format != "json" {
				return usage("--format %q: it is text or json", x.format)
			}
			x.log.isExplicit = cmd.Flags().Changed("config")
			return x.run(cmd.Context(), cmd.OutOrStdout(), cmd.InOrStdin(), args, catalogue())
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&x.format, "format", "text", "text or json")
	flags.StringVar(&x.log.stateDir, "state-dir", "", "phigated's state folder (default: the configuration's)")
	flags.StringVar(&x.log.config, "config", conf.DefaultPath, "phigated's configuration")
	return cmd
}

func (x *exceptions) run(ctx context.Context, out io.Writer, stdin io.Reader, args []string, catalogue []policy.Info) error {
	node, err := x.log.node()
	if err != nil {
		return err
	}
	files, err := readPolicies(args, stdin)
	if len(args) == 0 {
		files, err = conf.ReadPolicies(node.Policies)
	}
	if err != nil {
		return err
	}
	compiled, problems := config.Compile(files, catalogue)
	if compiled == nil {
		return &ExitError{ExitUsage, fmt.Errorf("%w\nthe files are not in force as they are; see: phigate policy lint", config.Problems(problems.Errors()))}
	}
	uses, last, err := usesIn(ctx, node.Log())
	if err != nil {
		return explainLog(err, node.Log())
	}
	now := time.Now()
	if last.After(now) {
		now = last
	}
	rows := exceptionRows(compiled.Exceptions.All(), uses, now)
	if x.format == "json" {
		enc := json.NewEncoder(out)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		return enc.Encode(rows)
	}
	return listExceptions(out, rows, now)
}

// use is what the log says of one exception.
type use struct {
	count int // decisions
	last  time.Time
}

// usesIn counts the decisions that used each exception, and says when the
// newest record was made. A node without a log has used none.
func usesIn(ctx context.Context, path string) (uses map[string]use, last time.Time, err error) {
	uses = map[string]use{}
	err = audit.Entries(ctx, path, 1, func(e audit.Entry) error {
		d := e.Decision
		last = d.Time
		if d.Kind != "verdict" {
			return nil
		}
		for _, used := range d.Exceptions {
			u := uses[used.ID]
			uses[used.ID] = use{u.count + 1, d.Time}
		}
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return uses, last, err
}

// exceptionRow is one exception as it is listed; fields may be added, never renamed.
type exceptionRow struct {
	ID          string     `json:"id"`
	Source      string     `json:"source"`
	Holds       bool       `json:"holds"`
	ExpiresAt   time.Time  `json:"expiresAt"`
	LeftSeconds int64      `json:"leftSeconds"` // 0 where it has ended
	Rules       []string   `json:"rules"`       // policy/rule
	Namespaces  []string   `json:"namespaces"`
	Digests     []string   `json:"digests"`
	Places      []string   `json:"places"`
	DowngradeTo string     `json:"downgradeTo"`
	Uses        int        `json:"uses"` // decisions
	LastUse     *time.Time `json:"lastUse,omitempty"`
	Reason      string     `json:"reason"`
	Ticket      string     `json:"ticket,omitempty"`
	RequestedBy string     `json:"requestedBy"`
	ApprovedBy  []string   `json:"approvedBy"`
}

func exceptionRows(all []*policy.Exception, uses map[string]use, now time.Time) []exceptionRow {
	rows := []exceptionRow{}
	for _, e := range all {
		row := exceptionRow{
			ID: policy.Printable(e.ID), Source: e.Source, Holds: now.Before(e.ExpiresAt), ExpiresAt: e.ExpiresAt.UTC(),
			LeftSeconds: max(0, int64(e.ExpiresAt.Sub(now).Seconds())), Namespaces: printables(e.Namespaces), Digests: printables(e.Digests),
			DowngradeTo: e.DowngradeTo.String(), Reason: policy.Printable(e.Reason), Ticket: policy.Printable(e.Ticket),
			RequestedBy: policy.Printable(e.RequestedBy), ApprovedBy: printables(e.ApprovedBy), Uses: uses[e.ID].count,
		}
		for _, p := range e.Policies {
			for _, rule := range p.Rules {
				row.Rules = append(row.Rules, policy.Printable(p.Policy+"/"+rule))
			}
		}
		for _, place := range e.Findings {
			row.Places = append(row.Places, policy.Printable(place.String()))
		}
		if u, ok := uses[e.ID]; ok {
			row.LastUse = &u.last
		}
		rows = append(rows, row)
	}
	slices.SortStableFunc(rows, func(a, b exceptionRow) int { return a.ExpiresAt.Compare(b.ExpiresAt) })
	return rows
}

func printables(texts []string) []string {
	out := []string{}
	for _, text := range texts {
		out = append(out, policy.Printable(text))
	}
	return out
}

func listExceptions(out io.Writer, rows []exceptionRow, now time.Time) error {
	if len(rows) == 0 {
		_, err := fmt.Fprintln(out, "no exceptions")
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tLEFT\tUSES\tLAST USE\tDOWN TO\tRULES\tPLACES\tAPPROVED BY\tREASON")
	for _, r := range rows {
		last := "never"
		if r.LastUse != nil {
			last = r.LastUse.UTC().Format(time.DateOnly)
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\t%s\t%s\t%s\t%s\n", r.ID, left(r.ExpiresAt.Sub(now)), r.Uses, last, r.DowngradeTo,
			strings.Join(r.Rules, " "), strings.Join(r.Places, " "), strings.Join(r.ApprovedBy, " "), r.Reason)
	}
	return w.Flush()
}

// left is a remaining time for people: whole days, and near the end hours and minutes.
func left(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d <= 0:
		return "ended"
	case d >= 2*day:
		return fmt.Sprintf("%d days", d/day)
	case d >= time.Hour:
		return fmt.Sprintf("%d h", d/time.Hour)
	default:
		return fmt.Sprintf("%d min", d/time.Minute)
	}
}

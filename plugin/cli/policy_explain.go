package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/phigate/phigate/plugin/audit"
	"github.com/phigate/phigate/plugin/conf"
	"github.com/phigate/phigate/plugin/explain"
	"github.com/phigate/phigate/plugin/redact"
	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/rules"
)

const explainLong = `Explain says of each rule what became of it: what it found and whose word the
action follows (a policy, its profile, the built-in default, an exception); or
that it found nothing; or which fact was missing and which gate will see it. It
says of each policy whether it applies, and which key of its selector says no.

TARGET is what phigate scan takes. DECISION is the number of a record in this
node's log: then the reasons are those of the policies in force now, and a note
says so where the decision was made under others. What a record does not hold
is said to be unknown.

It ends with 0 whatever the verdict, and with 2 where the target, the policy or
an argument is not valid.`

// policyExplain is what the command was asked for.
type policyExplain struct {
	scan
	decisions
	format string
}

func newExplainCommand() *cobra.Command {
	var x policyExplain
	cmd := &cobra.Command{
		Use:     "explain TARGET|DECISION",
		Short:   "Say of each rule whether it applies, and whose word says so",
		Long:    explainLong,
		Example: "  phigate policy explain --policy clinic.yaml portal.tar\n  phigate policy explain 4711",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if x.format != "text" && x.format != "json" {
				return usage("--format %s is not known; use text or json", policy.Printable(x.format))
			}
			x.scan.isExplicit = cmd.Flags().Changed("config")
			x.scan.out, x.scan.err = cmd.OutOrStdout(), cmd.ErrOrStderr()
			x.decisions.isExplicit, x.decisions.config = x.scan.isExplicit, x.scan.config
			if seq, err := strconv.ParseUint(args[0], 10, 64); err == nil && seq > 0 {
				x.seq = seq
				return x.decided(cmd.Context())
			}
			x.target = args[0]
			return x.scan.explain(x.atRest(cmd.Context()))
		},
	}
	flags := cmd.Flags()
	flags.StringArrayVar(&x.policies, "policy", nil, "a policy file, a folder of them or a built-in policy; may be given several times")
	flags.StringVar(&x.spec, "spec", "", "an OCI runtime spec to judge as well")
	flags.StringVar(&x.format, "format", "text", "text or json")
	flags.StringVar(&x.scan.config, "config", conf.DefaultPath, "phigated's configuration: its policies, its log, and containerd's socket")
	flags.StringVar(&x.stateDir, "state-dir", "", "phigated's state folder (default: the configuration's)")
	flags.IntVar(&x.workers, "workers", runtime.GOMAXPROCS(0), "files that are read at a time")
	flags.BoolVar(&x.isQuiet, "quiet", false, "show no progress and no notes")
	return cmd
}

// atRest explains what the engine makes of a target.
func (x *policyExplain) atRest(ctx context.Context) error {
	debug.SetMemoryLimit(memoryLimit)
	node, err := x.scan.node()
	if err != nil {
		return err
	}
	p, err := x.policy(node)
	if err != nil {
		return err
	}
	known, err := x.known(ctx, node)
	if err != nil {
		return err
	}
	r, err := x.open(ctx, node)
	if err != nil {
		return err
	}
	defer func() { x.leave(r.close()) }()
	x.note(r.notes)
	report, err := judge(p, r.store, known).Inspect(ctx, r.subject)
	if err != nil {
		return err
	}
	return x.write(explain.Of(r.subject, policy.Explain(p, r.subject, report), rules.All()))
}

// decided explains a record of the log.
func (x *policyExplain) decided(ctx context.Context) error {
	dir, err := x.state()
	if err != nil {
		return err
	}
	p, err := x.nodePolicy()
	if err != nil {
		return err
	}
	path := conf.Config{StateDir: dir}.Log()
	var found *policy.Decision
	err = audit.Entries(ctx, path, x.seq, func(e audit.Entry) error {
		if e.Seq == x.seq {
			found = e.Decision
		}
		return errShown
	})
	switch {
	case found == nil && (err == nil || errors.Is(err, errShown)):
		return usage("no decision %d in %s: see the newest with `phigate decisions`", x.seq, path)
	case found == nil:
		return explainLog(err, path)
	case found.Kind != "verdict":
		return usage("record %d is no verdict but %q: see it with `phigate decisions %d`", x.seq, policy.Printable(found.Kind), x.seq)
	}
	return x.write(explain.Decided(found, p))
}

// nodePolicy is the policy that was named, or that of the node's configuration
// where there is one.
func (s *scan) nodePolicy() (*policy.Policy, error) {
	node := conf.Default()
	if len(s.policies) == 0 {
		c, err := conf.Load(s.config)
		switch {
		case err == nil:
			node = c
		case s.isExplicit:
			return nil, &ExitError{ExitUsage, err}
		default:
			return nil, usage("%w: name the node's configuration with --config, or a policy with --policy", err)
		}
		s.isExplicit = true
	}
	return s.policy(node)
}

// write shows a sheet with what identifies a person redacted, as records are.
func (x *policyExplain) write(sheet *explain.Sheet) error {
	sheet.Redact(redact.Redactor{Keyed: keyed()}.Text)
	return writeAs(x.scan.out, x.format, sheet, func(w io.Writer) error { return explain.Text(w, sheet) })
}

// writeAs writes JSON, or what else there is.
func writeAs(w io.Writer, format string, v any, text func(io.Writer) error) error {
	if format == "json" {
		return writeJSON(w, v)
	}
	if err := text(w); err != nil {
		return fmt.Errorf("writing: %w", err)
	}
	return nil
}

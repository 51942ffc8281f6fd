package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"github.com/phigate/phigate/plugin/audit"
	"github.com/phigate/phigate/plugin/cache"
	"github.com/phigate/phigate/plugin/conf"
	"github.com/phigate/phigate/plugin/inspect"
	"github.com/phigate/phigate/plugin/simulate"
	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/config"
	"github.com/phigate/phigate/policy/detect"
)

const simulateLong = `Simulate says what the policies that are given would decide, and enforces nothing.
POLICY is a file, a folder of them or the name of a built-in policy; together they stand on the built-in
baseline, as if they were all that is in force.

With --images it judges the images of this node's containerd by the facts that
phigated has gathered of their layers, and by what their configuration says; no
file is read again. An image at rest has no namespace and no process: give
--namespace and --runtime to have policies apply that choose by them. Images
that were not scanned yet are named.

With --decisions it decides the records of this node's log anew and names those
that would have been decided otherwise. A record holds findings, not files and
specs: what rules of your own would have found, why something was not looked
at, and pod labels are unknown, and it says where that matters.

It ends with 0, with --exit-code with 3 where something would be refused (or
decided otherwise), and with 2 where a policy or an argument is not valid.`

// policySimulate is what the command was asked for.
type policySimulate struct {
	scan
	images, decisions  bool
	exitCode           bool
	stateDir, format   string
	namespace, runtime string
}

func newSimulateCommand() *cobra.Command {
	var m policySimulate
	cmd := &cobra.Command{
		Use:   "simulate --images|--decisions POLICY...",
		Short: "Say what a policy would refuse among this node's images, or have decided otherwise",
		Long:  simulateLong,
		Example: "  phigate policy simulate --images new/clinic.yaml\n  phigate policy simulate --images --namespace clinic-a new/\n" +
			"  phigate policy simulate --decisions new/ --format json",
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if m.format != "text" && m.format != "json" {
				return usage("--format %s is not known; use text or json", policy.Printable(m.format))
			}
			m.isExplicit, m.out, m.err = cmd.Flags().Changed("config"), cmd.OutOrStdout(), cmd.ErrOrStderr()
			return m.run(cmd.Context(), args, cmd.InOrStdin())
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&m.images, "images", false, "judge the images of this node")
	flags.BoolVar(&m.decisions, "decisions", false, "decide the records of this node's log anew")
	flags.BoolVar(&m.exitCode, "exit-code", false, "end with 3 where something would be refused, or decided otherwise")
	flags.StringVar(&m.format, "format", "text", "text or json")
	flags.StringVar(&m.config, "config", conf.DefaultPath, "phigated's configuration: its state folder, policies and containerd's socket")
	flags.StringVar(&m.stateDir, "state-dir", "", "phigated's state folder (default: the configuration's)")
	flags.StringVar(&m.namespace, "namespace", "", "the namespace that the images are thought to run in")
	flags.StringVar(&m.runtime, "runtime", "", "the client that is thought to start them: cri, ctr, nerdctl, docker, podman, buildkit")
	cmd.MarkFlagsMutuallyExclusive("images", "decisions")
	cmd.MarkFlagsOneRequired("images", "decisions")
	return cmd
}

func (m *policySimulate) run(ctx context.Context, args []string, stdin io.Reader) error {
	files, err := readPolicies(args, stdin)
	if err != nil {
		return err
	}
	p, problems := config.Compile(files, inspect.Catalogue())
	if p == nil {
		return usage("the policy is not valid, see also `phigate policy lint`:\n%w", config.Problems(problems.Errors()))
	}
	node, err := (&decisions{stateDir: m.stateDir, config: m.config, isExplicit: m.isExplicit}).node()
	if err != nil {
		return err
	}
	if m.decisions {
		return m.overDecisions(ctx, p, node)
	}
	return m.overImages(ctx, p, node)
}

// overDecisions decides the log anew.
func (m *policySimulate) overDecisions(ctx context.Context, p *policy.Policy, node conf.Config) error {
	sim := simulate.NewDecisions(p, inForce(node))
	err := audit.Entries(ctx, node.Log(), 1, func(e audit.Entry) error {
		sim.Add(e.Decision)
		return nil
	})
	if err != nil {
		return explainLog(err, node.Log())
	}
	if err := writeAs(m.out, m.format, sim, func(w io.Writer) error { return simulate.DecisionsText(w, sim) }); err != nil {
		return err
	}
	return m.code(len(sim.Refused)+len(sim.Admitted) > 0)
}

// inForce is the node's policy where it can be read; nil where it cannot, and
// then less can be told.
func inForce(node conf.Config) *policy.Policy {
	files, err := conf.ReadPolicies(node.Policies)
	if err != nil {
		return nil
	}
	p, _ := config.Compile(files, inspect.Catalogue())
	return p
}

// overImages judges the images of containerd by the facts of their layers.
func (m *policySimulate) overImages(ctx context.Context, p *policy.Policy, node conf.Config) error {
	dir, err := os.MkdirTemp("", "phigate-simulate-")
	if err != nil {
		return fmt.Errorf("making a temporary folder: %w", err)
	}
	defer func() { m.leave(os.RemoveAll(dir)) }()
	facts, err := cache.Snapshot(node.Facts(), detect.Version+"-", dir)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return usage("no facts at %s: has phigated run on this node? If its state folder is elsewhere, say so with --state-dir or --config", node.Facts())
	case errors.Is(err, os.ErrPermission):
		return fmt.Errorf("%w: the facts belong to root; run as root, or with sudo", err)
	case err != nil:
		return err
	}
	defer func() { m.leave(facts.Close()) }()
	known, err := m.known(ctx, node)
	if err != nil {
		return err
	}
	subjects, unknown, err := nodeImages(ctx, node.Containerd, facts)
	if err != nil {
		return err
	}
	for _, s := range subjects {
		s.Pod.Namespace, s.Runtime = m.namespace, m.runtime
	}
	out, err := simulate.JudgeImages(ctx, subjects, judge(p, facts, known), p, runtime.GOMAXPROCS(0))
	if err != nil {
		return err
	}
	out.Total += len(unknown)
	out.Unknown = append(out.Unknown, unknown...)
	if len(subjects) > 0 {
		m.note(unselected(p, subjects[0]))
	}
	if err := writeAs(m.out, m.format, out, func(w io.Writer) error { return simulate.ImagesText(w, out) }); err != nil {
		return err
	}
	return m.code(len(out.Refused) > 0)
}

func (m *policySimulate) code(found bool) error {
	if m.exitCode && found {
		return &ExitError{Code: ExitBlocked}
	}
	return nil
}

// unpackedAs finds the key of a layer that the facts have under the name of its
// snapshot, SNAPSHOTTER@CHAINID.
func unpackedAs(keys map[string]string, chain string) string {
	if chain == "" {
		return ""
	}
	return keys[chain]
}

// byChain lists the keys that name a snapshot, by its chain ID.
func byChain(facts *cache.Store) (map[string]string, error) {
	all, err := facts.Keys()
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for _, key := range all {
		if _, chain, ok := strings.Cut(key, "@"); ok {
			out[chain] = key
		}
	}
	return out, nil
}

package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/phigate/phigate/plugin/conf"
	"github.com/phigate/phigate/plugin/doctor"
	"github.com/phigate/phigate/plugin/install"
	"github.com/phigate/phigate/policy"
)

const doctorLong = `Doctor looks over this node and says what keeps phigate from holding there, with
the next step for each: containerd and which ways past the gate are open on its
version, whether phigate is registered and required, whether each client's runc
is the wrapper, time limits against what was measured, snapshotters, the
journal and how far it is behind the log, who has the log's keys, which witnesses
and archives it reaches, the clock, the disk, and the permissions of files and sockets.

--canary makes two images and creates a container of each, over CRI, as ctr does,
and by docker where that is here: one that holds a made-up table of patients, which
must be refused, and one that is the same without it, which must run. They are
removed afterwards.

It ends with 0 where there is no problem, and with 3 where there is one. Advice is
no problem: what phigate could guard besides, such as ctr's containers on a node
whose pods it guards.`

func newDoctorCommand() *cobra.Command {
	var format, root, config, runtime string
	var canary bool
	cmd := &cobra.Command{
		Use:     "doctor",
		Short:   "Say what keeps phigate from holding on this node, and what to do",
		Long:    doctorLong,
		Example: "  phigate doctor\n  phigate doctor --canary\n  phigate doctor --format json | jq '.checks[] | select(.state == \"problem\")'",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if format != "text" && format != "json" {
				return usage("--format %q: it is text or json", format)
			}
			tree, err := openNode(root)
			if err != nil {
				return err
			}
			defer tree.Close()
			if canary && !tree.Live() {
				return usage("--canary creates containers, and --root is a file tree: leave one of them out")
			}
			facts := doctor.Look(cmd.Context(), tree, config, runtime, tree.Live())
			checks := doctor.Examine(facts)
			if canary {
				checks = append(checks, doctor.Canary(cmd.Context(), facts)...)
			}
			return showChecks(cmd.OutOrStdout(), format, checks)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&format, "format", "text", "text or json")
	flags.StringVar(&root, "root", "/", "the node's file tree")
	flags.StringVar(&config, "config", conf.DefaultPath, "phigated's configuration")
	flags.StringVar(&runtime, "containerd-config", install.ContainerdConfig, "containerd's configuration")
	flags.BoolVar(&canary, "canary", false, "create a container that must be refused, and one that must run")
	return cmd
}

// showChecks prints them and ends with 3 where one is a problem.
func showChecks(w io.Writer, format string, checks []doctor.Check) error {
	healthy := doctor.Healthy(checks)
	var err error
	if format == "json" {
		enc := json.NewEncoder(w)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		err = enc.Encode(struct {
			Healthy bool           `json:"healthy"`
			Checks  []doctor.Check `json:"checks"`
		}{healthy, checks})
	} else {
		_, err = io.WriteString(w, checkText(checks))
	}
	if err == nil && !healthy {
		return &ExitError{Code: ExitBlocked}
	}
	return err
}

func checkText(checks []doctor.Check) string {
	var b strings.Builder
	problems, advices := 0, 0
	for _, c := range checks {
		mark := string(c.State)
		switch c.State {
		case doctor.Problem:
			mark = "PROBLEM"
			problems++
		case doctor.Advice:
			advices++
		}
		fmt.Fprintf(&b, "%-8s %s: %s\n", mark, c.Name, policy.Printable(c.Says))
		if c.Next != "" {
			fmt.Fprintf(&b, "         -> %s\n", policy.Printable(c.Next))
		}
	}
	switch {
	case problems > 0:
		fmt.Fprintf(&b, "%s\n", count(problems, "problem"))
	case advices > 0:
		fmt.Fprintf(&b, "healthy; %s of advice\n", count(advices, "piece"))
	default:
		b.WriteString("healthy\n")
	}
	return b.String()
}

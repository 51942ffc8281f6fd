package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/phigate/phigate/policy"
)

// newRulesCommand is `phigate rules`: the built-in catalogue, and one entry of it.
func newRulesCommand(catalogue func() []policy.Info) *cobra.Command {
	return &cobra.Command{
		Use:     "rules [ID]",
		Short:   "List the built-in rules and detectors, or show one",
		Long:    "Rules lists what the built-in baseline looks for, with its default action, and shows\none entry whole when its ID, or its row number in the catalogue, is given.",
		Example: "  phigate rules\n  phigate rules privileged\n  phigate rules OCI-001",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return listRules(cmd.OutOrStdout(), catalogue())
			}
			for _, info := range catalogue() {
				if info.ID == args[0] || slices.Contains(info.Aliases, args[0]) {
					return showRule(cmd.OutOrStdout(), info)
				}
			}
			return usage("there is no rule %s; phigate rules lists all", policy.Printable(args[0]))
		},
	}
}

func listRules(w io.Writer, infos []policy.Info) error {
	width := 0
	for _, info := range infos {
		width = max(width, len(info.ID))
	}
	var b strings.Builder
	for _, info := range infos {
		fmt.Fprintf(&b, "%-*s  %-5s  %-8s  %s\n", width, info.ID, info.Default, info.Severity, info.Title)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func showRule(w io.Writer, info policy.Info) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s (%s)\n%s\n\nby default  %s\nseverity    %s\n", info.ID, strings.Join(info.Aliases, ", "), info.Title, info.Default, info.Severity)
	for _, c := range info.Cites {
		fmt.Fprintf(&b, "supports    %s, %s (%s)\n", c, c.Title(), c.Kind())
	}
	if info.Isolation {
		b.WriteString("in platform namespaces it is audited\n")
	}
	fmt.Fprintf(&b, "\n%s\n\nfix: %s\n", info.Rationale, info.Fix)
	_, err := io.WriteString(w, b.String())
	return err
}

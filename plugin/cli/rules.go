package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/phigate/phigate/policy"
)

// newRulesCommand is `phigate rules`: the built-in catalogue, and one entry of it.
func newRulesCommand(catalogue func() []policy.Info) *cobra.Command {
	format := "text"
	cmd := &cobra.Command{
		Use:     "rules [ID]",
		Short:   "List the built-in rules and detectors, or show one",
		Long:    "Rules lists what the built-in baseline looks for, with its default action, and shows\none entry whole when its ID, or its row number in the catalogue, is given.",
		Example: "  phigate rules\n  phigate rules privileged\n  phigate rules OCI-001\n  phigate rules --format json",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			infos := catalogue()
			if len(args) == 1 {
				i := slices.IndexFunc(infos, func(info policy.Info) bool { return info.ID == args[0] || slices.Contains(info.Aliases, args[0]) })
				if i < 0 {
					return usage("there is no rule %s; phigate rules lists all", policy.Printable(args[0]))
				}
				infos = infos[i : i+1]
			}
			switch {
			case format == "json":
				return rulesJSON(cmd.OutOrStdout(), infos)
			case format != "text":
				return usage("there is no format %s; use text or json", policy.Printable(format))
			case len(args) == 1:
				return showRule(cmd.OutOrStdout(), infos[0])
			}
			return listRules(cmd.OutOrStdout(), infos)
		},
	}
	cmd.Flags().StringVar(&format, "format", format, "text or json")
	return cmd
}

// ruleEntry is an entry of the catalogue in JSON. Fields may be added, never
// renamed.
type ruleEntry struct {
	ID        string           `json:"id"`
	Rows      []string         `json:"rows"`
	Title     string           `json:"title"`
	Severity  policy.Severity  `json:"severity"`
	Action    policy.Action    `json:"action"`
	Relation  policy.Relation  `json:"relation"`
	Citations []ruleCitation   `json:"citations"`
	Controls  []policy.Control `json:"controls"`
	Proposed  []string         `json:"proposed"` // never law
	Isolation bool             `json:"isolation"`
	WithPHI   *policy.Action   `json:"withPhi,omitempty"` // where a volume of phiVolumes is mounted
	Rationale string           `json:"rationale"`
	Fix       string           `json:"fix"`
}

type ruleCitation struct {
	Citation    string `json:"citation"`
	Title       string `json:"title"`
	Requirement string `json:"requirement"` // standard, required, addressable, provision
}

func rulesJSON(w io.Writer, infos []policy.Info) error {
	entries := []ruleEntry{}
	for _, info := range infos {
		e := ruleEntry{
			ID: info.ID, Rows: append([]string{}, info.Aliases...), Title: info.Title, Severity: info.Severity, Action: info.Default,
			Relation: info.Relation, Controls: append([]policy.Control{}, info.Controls...), Proposed: []string{}, Isolation: info.Isolation,
			Rationale: info.Rationale, Fix: info.Fix, WithPHI: info.WithPHI,
		}
		for _, c := range info.Cites {
			e.Citations = append(e.Citations, ruleCitation{c.String(), c.Title(), c.Kind().String()})
		}
		for _, p := range info.Proposed {
			e.Proposed = append(e.Proposed, p.String())
		}
		entries = append(entries, e)
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(entries)
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
	if info.WithPHI != nil {
		fmt.Fprintf(&b, "with ePHI   %s, where a volume of phiVolumes is mounted\n", *info.WithPHI)
	}
	for _, c := range info.Cites {
		fmt.Fprintf(&b, "%-10s  %s, %s (%s)\n", info.Relation, c, c.Title(), c.Kind())
	}
	for _, c := range info.Controls {
		fmt.Fprintf(&b, "like        %s\n", c)
	}
	for _, p := range info.Proposed {
		fmt.Fprintf(&b, "not law     %s\n", p)
	}
	if info.Isolation {
		b.WriteString("in platform namespaces it is audited\n")
	}
	fmt.Fprintf(&b, "\n%s\n\nfix: %s\n", info.Rationale, info.Fix)
	_, err := io.WriteString(w, b.String())
	return err
}

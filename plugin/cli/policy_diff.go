package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/config"
)

const diffLong = `Diff says in words how two policies differ in what they mean: the order of
documents, keys and entries, formatting, comments and descriptions make no
difference. A and B are files or folders of them; - is the standard input, and
the name of a built-in policy (hipaa-baseline, hipaa-strict, nprm-2025, example)
stands for it where no file is called so. Where each side holds one policy the
two are compared with each other, whatever they are called.

It ends with 0 whether they differ or not, with --exit-code with 3 where they
do, and with 2 where one of them is not valid.`

func newDiffCommand(catalogue func() []policy.Info) *cobra.Command {
	var format string
	var code bool
	cmd := &cobra.Command{
		Use:     "diff A B",
		Short:   "Say in words how two policies differ",
		Long:    diffLong,
		Example: "  phigate policy diff /etc/phigate/policies.d new/\n  git show HEAD:clinic.yaml | phigate policy diff - clinic.yaml\n  phigate policy diff hipaa-baseline hipaa-strict",
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if format != "text" && format != "json" {
				return usage("--format %s is not known; use text or json", policy.Printable(format))
			}
			before, err := readPolicies(args[:1], cmd.InOrStdin())
			if err != nil {
				return err
			}
			after, err := readPolicies(args[1:], cmd.InOrStdin())
			if err != nil {
				return err
			}
			changes, problems := config.Diff(before, after, catalogue())
			if len(problems) > 0 {
				return usage("the policies cannot be compared, see also `phigate policy lint`:\n%w", problems)
			}
			if err := writeChanges(cmd.OutOrStdout(), changes, format); err != nil {
				return err
			}
			if code && len(changes) > 0 {
				return &ExitError{Code: ExitBlocked}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&format, "format", "text", "text or json")
	cmd.Flags().BoolVar(&code, "exit-code", false, "end with 3 where they differ")
	return cmd
}

func writeChanges(w io.Writer, changes []config.Change, format string) error {
	if format == "json" {
		return writeJSON(w, struct {
			Same    bool            `json:"same"`
			Changes []config.Change `json:"changes"`
		}{len(changes) == 0, append([]config.Change{}, changes...)})
	}
	var b strings.Builder
	for _, c := range changes {
		fmt.Fprintln(&b, policy.Printable(c.Text))
	}
	if len(changes) == 0 {
		b.WriteString("no difference in meaning\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// writeJSON prints one object for programs.
func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

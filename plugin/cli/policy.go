package cli

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/phigate/phigate/plugin/conf"
	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/config"
)

// newPolicyCommand is `phigate policy`: work on policy files, on any machine.
// The catalogue holds the rules and detectors that a policy may name.
func newPolicyCommand(catalogue func() []policy.Info) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "policy",
		Short: "Work on policy files",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newLintCommand(catalogue), newFmtCommand(catalogue), newDiffCommand(catalogue), newExplainCommand(),
		newSimulateCommand(), newTestCommand(), newSchemaCommand(catalogue), newConvertCommand(catalogue))
	return cmd
}

func newLintCommand(catalogue func() []policy.Info) *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "lint FILE|DIR...",
		Short: "Say what is wrong with policy files: file, line, column, the line and a suggestion",
		Long: `Lint reads policy files as the daemon does and says what is wrong with them.
All files that are given are judged together, as one policy; of a folder, those
that end in .yaml or .yml, in the order of their names. A file - is the standard
input.

It ends with 0 where the policy can be used (warnings may be shown) and with 2
where it cannot.`,
		Example: "  phigate policy lint /etc/phigate/policies.d\n  phigate policy lint --format json clinic.yaml",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if format != "text" && format != "json" {
				return usage("--format %s is not known; use text or json", policy.Printable(format))
			}
			files, err := readPolicies(args, cmd.InOrStdin())
			if err != nil {
				return err
			}
			compiled, problems := config.Lint(files, catalogue(), time.Now())
			if format == "json" {
				err = lintJSON(cmd.OutOrStdout(), compiled, problems)
			} else {
				err = lintText(cmd.OutOrStdout(), len(files), compiled, problems)
			}
			if err == nil && compiled == nil {
				return &ExitError{Code: ExitUsage}
			}
			return err
		},
	}
	cmd.Flags().StringVar(&format, "format", "text", "text or json")
	return cmd
}

// lintJSON prints one object; fields may be added, never renamed.
func lintJSON(w io.Writer, compiled *policy.Policy, problems config.Problems) error {
	out := struct {
		Valid    bool             `json:"valid"`
		Policy   string           `json:"policy,omitempty"` // digest
		Problems []config.Problem `json:"problems"`
	}{Valid: compiled != nil, Problems: append([]config.Problem{}, problems...)}
	if compiled != nil {
		out.Policy = compiled.Digest
	}
	return writeJSON(w, out)
}

// lintText prints each problem, its line and a caret, and one line of summary.
func lintText(w io.Writer, files int, compiled *policy.Policy, problems config.Problems) error {
	var b strings.Builder
	if err := writeProblems(&b, problems); err != nil {
		return err
	}
	wrong := len(problems.Errors())
	warned := len(problems) - wrong
	if compiled == nil {
		fmt.Fprintf(&b, "not valid: %s, %s in %s; nothing of it would be in force\n",
			count(wrong, "error"), count(warned, "warning"), count(files, "file"))
	} else {
		fmt.Fprintf(&b, "valid: %s in %s, %s (%s)\n",
			count(len(compiled.Documents), "policy"), count(files, "file"), count(warned, "warning"), compiled.Digest)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// writeProblems prints each problem, its line and a caret.
func writeProblems(w io.Writer, problems config.Problems) error {
	var b strings.Builder
	for _, p := range problems {
		fmt.Fprintln(&b, p.Error())
		if p.Text == "" {
			continue
		}
		fmt.Fprintf(&b, "    %s\n", p.Text)
		if p.Caret > 0 {
			fmt.Fprintf(&b, "    %s^\n", strings.Repeat(" ", p.Caret-1))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// count is a number with its noun.
func count(n int, noun string) string {
	switch {
	case n == 1:
	case strings.HasSuffix(noun, "y"):
		noun = strings.TrimSuffix(noun, "y") + "ies"
	default:
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}

// readPolicies reads the files and the folders' files that were named, and the
// standard input for "-".
func readPolicies(names []string, stdin io.Reader) ([]config.File, error) {
	var files []config.File
	for layer, name := range names {
		if name == "-" {
			data, err := io.ReadAll(io.LimitReader(stdin, config.MaxSize+1))
			if err != nil {
				return nil, fmt.Errorf("reading the standard input: %w", err)
			}
			files = append(files, config.File{Name: "stdin", Data: data, Layer: layer})
			continue
		}
		found, err := conf.ReadPolicies([]string{name})
		if err != nil {
			return nil, &ExitError{ExitUsage, err}
		}
		if len(found) == 0 {
			return nil, usage("%s holds no file that ends in .yaml or .yml", policy.Printable(name))
		}
		for i := range found {
			found[i].Layer = layer
		}
		files = append(files, found...)
	}
	return files, nil
}

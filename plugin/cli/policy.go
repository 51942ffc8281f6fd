package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
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
	var strict bool
	cmd := &cobra.Command{
		Use:   "lint FILE|DIR...",
		Short: "Say what is wrong with policy files: file, line, column, the line and a suggestion",
		Long: `Lint reads policy files as the daemon does and says what is wrong with them.
All files that are given are judged together, as one policy; of a folder, those
that end in .yaml or .yml, in the order of their names. A file - is the standard
input. The name of a built-in policy stands for it where no file is called so.

Documents of kind Exception and PolicyTest are read with the policies: of
exceptions it says which have ended or end within 14 days, of policies what can
never have an effect: a selector that contradicts itself, a word on a rule that
another policy's stricter one outweighs wherever it applies.

It ends with 0 where the policy can be used (warnings may be shown) and with 2
where it cannot, with --strict where there are warnings, too.`,
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
			l := lint{files: len(files)}
			l.compiled, l.problems = config.Lint(files, catalogue(), time.Now())
			if l.compiled != nil {
				l.tests, _ = config.Tests(files, catalogue())
			}
			if format == "json" {
				err = l.json(cmd.OutOrStdout())
			} else {
				err = l.text(cmd.OutOrStdout())
			}
			if err == nil && (l.compiled == nil || strict && len(l.problems) > 0) {
				return &ExitError{Code: ExitUsage}
			}
			return err
		},
	}
	cmd.Flags().StringVar(&format, "format", "text", "text or json")
	cmd.Flags().BoolVar(&strict, "strict", false, "end with 2 where there are warnings, too")
	return cmd
}

// lint is what was found out about policy files.
type lint struct {
	files    int
	compiled *policy.Policy // nil: they cannot be used
	tests    []config.Test
	problems config.Problems
}

// json prints one object; fields may be added, never renamed.
func (l *lint) json(w io.Writer) error {
	out := struct {
		Valid      bool             `json:"valid"`
		Policy     string           `json:"policy,omitempty"` // digest
		Policies   int              `json:"policies"`
		Exceptions int              `json:"exceptions"`
		Tests      int              `json:"tests"`
		Problems   []config.Problem `json:"problems"`
	}{Valid: l.compiled != nil, Tests: len(l.tests), Problems: append([]config.Problem{}, l.problems...)}
	if l.compiled != nil {
		out.Policy, out.Policies, out.Exceptions = l.compiled.Digest, len(l.compiled.Documents), len(l.compiled.Exceptions.All())
	}
	return writeJSON(w, out)
}

// text prints each problem, its line and a caret, and one line of summary.
func (l *lint) text(w io.Writer) error {
	var b strings.Builder
	if err := writeProblems(&b, l.problems); err != nil {
		return err
	}
	wrong := len(l.problems.Errors())
	warned := count(len(l.problems)-wrong, "warning")
	if l.compiled == nil {
		fmt.Fprintf(&b, "not valid: %s, %s in %s; nothing of it would be in force\n", count(wrong, "error"), warned, count(l.files, "file"))
	} else {
		holds := []string{count(len(l.compiled.Documents), "policy")}
		if n := len(l.compiled.Exceptions.All()); n > 0 {
			holds = append(holds, count(n, "exception"))
		}
		if n := len(l.tests); n > 0 {
			holds = append(holds, count(n, "test"))
		}
		fmt.Fprintf(&b, "valid: %s in %s, %s (%s)\n", strings.Join(holds, ", "), count(l.files, "file"), warned, l.compiled.Digest)
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

// readPolicies reads the files and the folders' files that were named, the
// standard input for "-", and built-in policies by their names where nothing of
// that name is there.
func readPolicies(names []string, stdin io.Reader) ([]config.File, error) {
	return readEach(names, func(name string) ([]config.File, error) {
		if f, known := builtIn(name); known {
			return []config.File{f}, nil
		}
		return readFiles(name, stdin)
	})
}

// readNamed reads paths as the daemon does, and built-in policies where the
// command may take them.
func readNamed(paths []string, mayBeBuiltIn bool) ([]config.File, error) {
	return readEach(paths, func(path string) ([]config.File, error) {
		if f, known := builtIn(path); known && mayBeBuiltIn {
			return []config.File{f}, nil
		}
		return conf.ReadPolicies([]string{path})
	})
}

// builtIn is the built-in policy of a name, where no file is called so.
func builtIn(name string) (f config.File, known bool) {
	if _, err := os.Lstat(name); !errors.Is(err, fs.ErrNotExist) {
		return config.File{}, false
	}
	return config.Profile(name)
}

// readWritten reads what was named as readPolicies does, but for what is built in.
func readWritten(names []string, stdin io.Reader) ([]config.File, error) {
	return readEach(names, func(name string) ([]config.File, error) { return readFiles(name, stdin) })
}

// readEach makes a layer of each name.
func readEach(names []string, read func(name string) ([]config.File, error)) ([]config.File, error) {
	var files []config.File
	for layer, name := range names {
		found, err := read(name)
		if err != nil {
			return nil, err
		}
		for i := range found {
			found[i].Layer = layer
		}
		files = append(files, found...)
	}
	return files, nil
}

func readFiles(name string, stdin io.Reader) ([]config.File, error) {
	if name == "-" {
		data, err := io.ReadAll(io.LimitReader(stdin, config.MaxSize+1))
		if err != nil {
			return nil, fmt.Errorf("reading the standard input: %w", err)
		}
		return []config.File{{Name: "stdin", Data: data}}, nil
	}
	found, err := conf.ReadPolicies([]string{name})
	if err != nil {
		return nil, &ExitError{ExitUsage, err}
	}
	if len(found) == 0 {
		return nil, usage("%s holds no file that ends in .yaml or .yml", policy.Printable(name))
	}
	return found, nil
}

package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/phigate/phigate/plugin/conf"
	"github.com/phigate/phigate/plugin/inspect"
	"github.com/phigate/phigate/plugin/policytest"
	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/config"
)

const testLong = `Test runs documents of kind PolicyTest: each case names a subject (a root file
system as a folder, a tarball or an OCI layout, and an OCI runtime spec), who it
is (namespace, image, runtime), and what the policies are expected to decide.

Files that are given together are one set: their policies are in force, and
their tests are run. Each folder is a set of its own, and FOLDER/... stands for
all folders below it that hold policy files. Paths of subjects are meant from
the folder of the test's file. In a spec, host paths are taken as they are
written.

It ends with 0 where every case holds, with 3 where one does not, and with 2
where a file is not valid or there is no test.`

// policyTest is what the command was asked for.
type policyTest struct {
	scan
	junit   string
	format  string
	verbose bool
}

func newTestCommand() *cobra.Command {
	var p policyTest
	cmd := &cobra.Command{
		Use:     "test FILE|DIR|DIR/...",
		Short:   "Run the tests of policies",
		Long:    testLong,
		Example: "  phigate policy test clinic.yaml clinic_test.yaml\n  phigate policy test --junit report.xml deploy/examples/...",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if p.format != "text" && p.format != "json" {
				return usage("--format %s is not known; use text or json", policy.Printable(p.format))
			}
			p.out, p.err = cmd.OutOrStdout(), cmd.ErrOrStderr()
			p.isQuiet = true
			return p.run(cmd.Context(), args)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&p.junit, "junit", "", "also write the results there, as JUnit's XML")
	flags.StringVar(&p.format, "format", "text", "text or json")
	flags.BoolVarP(&p.verbose, "verbose", "v", false, "name the cases that hold, too")
	flags.StringArrayVar(&p.policies, "policy", nil, "a policy file, a folder or a built-in policy that is in force in every set as well; may be given several times")
	flags.IntVar(&p.workers, "workers", runtime.GOMAXPROCS(0), "files that are read at a time")
	return cmd
}

func (p *policyTest) run(ctx context.Context, args []string) error {
	debug.SetMemoryLimit(memoryLimit)
	sets, err := testSets(args)
	if err != nil {
		return err
	}
	if p.files, err = p.scanner(); err != nil {
		return err
	}
	var results []policytest.Result
	for _, set := range sets {
		some, err := p.set(ctx, set)
		if err != nil {
			return err
		}
		results = append(results, some...)
	}
	if len(results) == 0 {
		return usage("there is no test: write a document of kind PolicyTest, `phigate policy test --help` says how it is run")
	}
	if p.junit != "" {
		var b bytes.Buffer
		if err := policytest.JUnit(&b, results); err != nil {
			return err
		}
		if err := os.WriteFile(p.junit, b.Bytes(), 0o644); err != nil {
			return fmt.Errorf("writing the report: %w", err)
		}
	}
	text := func(w io.Writer) error { return policytest.Text(w, results, p.verbose) }
	if err := writeAs(p.out, p.format, results, text); err != nil {
		return err
	}
	if policytest.Failed(results) {
		return &ExitError{Code: ExitBlocked}
	}
	return ctx.Err()
}

// set runs the tests of files that belong together.
func (p *policyTest) set(ctx context.Context, paths []string) ([]policytest.Result, error) {
	files, err := readNamed(append(paths, p.policies...), true)
	if err != nil {
		return nil, &ExitError{ExitUsage, err}
	}
	catalogue := inspect.Catalogue()
	inForce, problems := config.Compile(files, catalogue)
	if inForce == nil {
		return nil, usage("the policy is not valid, see also `phigate policy lint`:\n%w", config.Problems(problems.Errors()))
	}
	tests, problems := config.Tests(files, catalogue)
	if len(problems.Errors()) > 0 {
		return nil, usage("the tests are not valid:\n%w", config.Problems(problems.Errors()))
	}
	judge := func(ctx context.Context, t config.Test, c config.Case) (policy.Verdict, error) {
		return p.judge(ctx, inForce, filepath.Dir(t.File), c)
	}
	results := policytest.Run(ctx, tests, judge, time.Now)
	if ctx.Err() != nil {
		return nil, errors.New("interrupted: not all cases were judged")
	}
	return results, nil
}

// judge is the engine's verdict on a case, as scan would have it.
func (p *policyTest) judge(ctx context.Context, inForce *policy.Policy, dir string, c config.Case) (v policy.Verdict, err error) {
	s := p.scan
	s.target, s.spec = beside(dir, c.Subject.RootFS), beside(dir, c.Subject.Spec)
	r, err := s.open(ctx, conf.Default())
	if err != nil {
		return v, fmt.Errorf("reading the subject: %w", err)
	}
	defer func() { s.leave(r.close()) }()
	policytest.Set(r.subject, c.Subject)
	report, err := judge(inForce, r.store).Inspect(ctx, r.subject)
	if err != nil {
		return v, err
	}
	if !c.At.IsZero() {
		report.Now = c.At
	}
	return policy.Decide(inForce, r.subject, report), nil
}

// beside is a path as it is meant from a folder, and nothing that could be taken
// for an image in a registry; nothing stays nothing.
func beside(dir, path string) string {
	switch {
	case path == "" || filepath.IsAbs(path):
		return path
	case filepath.IsAbs(dir):
		return filepath.Join(dir, path)
	}
	return "./" + filepath.Join(dir, path)
}

// testSets are the paths that belong together: all files, and each folder.
func testSets(args []string) (sets [][]string, err error) {
	var files []string
	for _, arg := range args {
		root, below := strings.CutSuffix(arg, "/...")
		info, err := os.Stat(root)
		switch {
		case err != nil:
			return nil, usage("%s: %w: name a file, a folder, or FOLDER/... for all below it", policy.Printable(arg), reason(err))
		case below:
			found, err := policyFolders(root)
			if err != nil {
				return nil, err
			}
			if len(found) == 0 {
				return nil, usage("%s: no folder there holds a file that ends in .yaml or .yml", policy.Printable(arg))
			}
			sets = append(sets, found...)
		case info.IsDir():
			sets = append(sets, []string{root})
		default:
			files = append(files, root)
		}
	}
	if len(files) > 0 {
		sets = append(sets, files)
	}
	return sets, nil
}

// policyFolders are the folders below root that hold policy files, in the order
// of their names. Below testdata there are subjects.
func policyFolders(root string) (sets [][]string, err error) {
	err = filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case e.IsDir() && e.Name() == "testdata":
			return fs.SkipDir
		case e.IsDir() || !isPolicyFile(e.Name()):
			return nil
		}
		dir := filepath.Dir(path)
		if !slices.ContainsFunc(sets, func(set []string) bool { return set[0] == dir }) {
			sets = append(sets, []string{dir})
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("looking for policies: %w", err)
	}
	return sets, nil
}

func isPolicyFile(name string) bool {
	return !strings.HasPrefix(name, ".") && (strings.HasSuffix(name, ".yaml") || strings.HasSuffix(name, ".yml"))
}

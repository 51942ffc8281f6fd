package cli

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"

	"github.com/phigate/phigate/plugin/cache"
	"github.com/phigate/phigate/plugin/cli/target"
	"github.com/phigate/phigate/plugin/conf"
	"github.com/phigate/phigate/plugin/engine"
	"github.com/phigate/phigate/plugin/inspect"
	"github.com/phigate/phigate/plugin/inspect/expand"
	"github.com/phigate/phigate/plugin/redact"
	"github.com/phigate/phigate/plugin/report"
	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/config"
	"github.com/phigate/phigate/policy/detect"
	"github.com/phigate/phigate/policy/detect/catalogue"
	"github.com/phigate/phigate/policy/rules"
)

const scanLong = `Scan judges something at rest as the gate on a node would judge it when it runs.
TARGET is one of

  FOLDER                  a tree of files; or an OCI image layout, if it holds
                          the file oci-layout
  FILE                    what docker save or ctr images export writes
  NAME:TAG, HOST/NAME@... an image in a registry, with the credentials of
                          docker login; it is read as it comes and not kept
  containerd://NAME       an image of this node's containerd, as unpacked

in this order of guessing. Where it could be two things, say which: dir:FOLDER,
oci:FOLDER, docker-archive:FILE, registry://NAME. Of several images in a layout
or an archive, name one: oci:FOLDER:NAME, docker-archive:FILE:NAME or
oci:FOLDER@sha256:... Of an image for several platforms, this machine's is taken.

Judged are the files of all layers, deleted ones included, and what the image
says of its environment, its command and its ports. With --spec, an OCI runtime
spec (the config.json of a bundle) is judged in place of the image's environment
and command. What an image at rest does not have, such as mounts, is not judged.

Policy is the built-in baseline. With --policy the files are in force on top of
it; with --config those that the configuration names. A policy that selects
namespaces, pods or runtimes does not select what is at rest, and a note says so.

It ends with 0 where nothing blocks, 3 where something does, 2 where the target
or an argument is not valid, and 1 on errors of this machine.`

// scan is what the command was asked for.
type scan struct {
	target     string
	policies   []string
	advisories []string // --osv
	spec       string
	format     string
	config     string
	isExplicit bool // --config was given
	isQuiet    bool
	isShallow  bool // --no-expand
	workers    int
	version    string
	files      *inspect.Scanner // nil: made when it is needed
	out, err   io.Writer
}

func newScanCommand() *cobra.Command {
	var s scan
	cmd := &cobra.Command{
		Use:   "scan TARGET",
		Short: "Judge a folder, an archive, an image layout or an image, as the gate would",
		Long:  scanLong,
		Example: "  phigate scan portal.tar\n  phigate scan --policy clinic.yaml registry.example/clinic/portal:1.4\n" +
			"  phigate scan --format json ./rootfs --spec config.json | jq .verdict",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s.target, s.isExplicit = args[0], cmd.Flags().Changed("config")
			s.out, s.err, s.version = cmd.OutOrStdout(), cmd.ErrOrStderr(), cmd.Root().Version
			if s.workers < 1 {
				return usage("--workers %d: at least one is needed", s.workers)
			}
			if s.writer() == nil {
				return usage("--format %q: it is text, json, sarif or html", s.format)
			}
			return s.explain(s.run(cmd.Context()))
		},
	}
	flags := cmd.Flags()
	flags.StringArrayVar(&s.policies, "policy", nil, "a policy file, a folder of them or a built-in policy; may be given several times")
	flags.StringArrayVar(&s.advisories, "osv", nil, "OSV advisories to compare the software with: a .json or .zip file or a folder of them; may be given several times")
	flags.StringVar(&s.spec, "spec", "", "an OCI runtime spec to judge as well")
	flags.StringVar(&s.format, "format", "text", "text, json, sarif or html")
	flags.StringVar(&s.config, "config", conf.DefaultPath, "phigated's configuration: its policies, and containerd's socket")
	flags.BoolVar(&s.isShallow, "no-expand", false, "do not look into archives, databases and documents; they are reported as not looked at")
	flags.IntVar(&s.workers, "workers", runtime.GOMAXPROCS(0), "files that are read at a time")
	flags.BoolVar(&s.isQuiet, "quiet", false, "show no progress and no notes")
	return cmd
}

// explain gives errors their exit code.
func (s *scan) explain(err error) error {
	var exit *ExitError
	switch {
	case err == nil || errors.As(err, &exit):
		return err
	case errors.Is(err, context.Canceled):
		return errors.New("interrupted: nothing was decided")
	case errors.Is(err, target.ErrInput):
		return &ExitError{ExitUsage, fmt.Errorf("scanning %s: %w", policy.Printable(target.Redact(s.target)), err)}
	}
	return fmt.Errorf("scanning %s: %w", policy.Printable(target.Redact(s.target)), err)
}

// memoryLimit is what the garbage collector is told to stay below, in bytes: with
// the program itself, a scan then takes less than 128 MiB, whatever the tree holds.
const memoryLimit = 80 << 20

func (s *scan) run(ctx context.Context) error {
	began := time.Now()
	debug.SetMemoryLimit(memoryLimit)
	node, err := s.node()
	if err != nil {
		return err
	}
	inForce, err := s.policy(node)
	if err != nil {
		return err
	}
	known, err := s.known(ctx, node)
	if err != nil {
		return err
	}
	r, err := s.open(ctx, node)
	if err != nil {
		return err
	}
	defer func() { s.leave(r.close()) }()
	s.note(append(r.notes, unselected(inForce, r.subject)...))
	d, err := judge(inForce, r.store, known).Evaluate(ctx, r.subject)
	if err != nil {
		return err
	}
	took := time.Since(began)
	d.DurationMs, d.DurationUs = took.Milliseconds(), took.Microseconds() // the reading is part of it
	return s.answer(d, r.target)
}

// leave tells what could not be cleaned up; the verdict holds all the same.
func (s *scan) leave(err error) {
	if err != nil {
		fmt.Fprintf(s.err, "phigate: cleaning up: %v\n", err)
	}
}

// node is the configuration of the node where it matters: it was named, or the
// image is this node's. Its defaults are those of a node that has none.
func (s *scan) node() (conf.Config, error) {
	if !s.isExplicit && !target.IsNodes(s.target) {
		return conf.Default(), nil
	}
	c, err := conf.Load(s.config)
	switch {
	case err == nil:
		return c, nil
	case errors.Is(err, fs.ErrNotExist) && !s.isExplicit:
		return conf.Default(), nil
	}
	return c, &ExitError{ExitUsage, err}
}

// policy compiles what was asked for on top of the baseline.
func (s *scan) policy(node conf.Config) (*policy.Policy, error) {
	paths := s.policies
	if len(paths) == 0 && s.isExplicit {
		paths = node.Policies
	}
	files, err := readNamed(paths, len(s.policies) > 0)
	if err != nil {
		return nil, &ExitError{ExitUsage, err}
	}
	if len(files) == 0 && len(s.policies) > 0 {
		return nil, usage("--policy: no file there ends in .yaml or .yml; name a file, or a folder that holds some")
	}
	compiled, problems := config.Compile(files, inspect.Catalogue())
	if compiled == nil {
		return nil, usage("the policy is not valid, see also `phigate policy lint`:\n%w", config.Problems(problems.Errors()))
	}
	return compiled, nil
}

// note tells people what the verdict alone would not.
func (s *scan) note(notes []string) {
	if s.isQuiet {
		return
	}
	for _, n := range notes {
		fmt.Fprintf(s.err, "phigate: note: %s\n", n)
	}
}

// unselected names the policies that do not apply to the subject.
func unselected(p *policy.Policy, s *policy.Subject) []string {
	var notes []string
	for i := range p.Documents {
		if d := &p.Documents[i]; !d.Selector.Selects(s) {
			notes = append(notes, fmt.Sprintf("policy %s does not apply: its selector does not choose this target", policy.Printable(d.Name)))
		}
	}
	return notes
}

// scanner reads files with all detectors, and makes fingerprints by a key that
// nobody keeps.
func (s *scan) scanner() (*inspect.Scanner, error) {
	detectors, err := detect.NewSet(catalogue.All())
	if err != nil {
		return nil, err
	}
	scanner := &inspect.Scanner{Detectors: detectors, Workers: s.workers, Keyed: keyed()}
	if !s.isShallow {
		scanner.Expand = expand.Defaults()
		scanner.Expand.Spool = os.TempDir()
	}
	return scanner, nil
}

// read gathers the facts of all layers, each once.
func (s *scan) read(ctx context.Context, t *target.Target, store *cache.Store) error {
	scanner := s.files
	if scanner == nil {
		var err error
		if scanner, err = s.scanner(); err != nil {
			return err
		}
	}
	show := newProgress(s.err, s.isQuiet, t)
	defer show.end()
	for i, layer := range t.Layers {
		if _, known, err := store.Get(layer.Key); err != nil || known {
			if err != nil {
				return err
			}
			continue
		}
		show.layer(i+1, len(t.Layers))
		if err := readLayer(ctx, scanner, layer, store, show.files); err != nil {
			if len(t.Layers) > 1 {
				err = fmt.Errorf("layer %d of %d: %w", i+1, len(t.Layers), err)
			}
			return err
		}
	}
	return nil
}

func readLayer(ctx context.Context, scanner *inspect.Scanner, layer target.Layer, store *cache.Store, progress func(files, bytes int64)) error {
	w, err := store.Begin(layer.Key)
	if err != nil {
		return err
	}
	defer w.Abort()
	facts, err := scanner.Scan(ctx, layer.Tree, w, progress)
	if err != nil {
		return err
	}
	if layer.Unseen != "" {
		facts.Skipped = append(facts.Skipped, policy.Skipped{Where: "image", Rule: "files", Reason: layer.Unseen, Kind: policy.OutOfScope})
	}
	return w.Commit(*facts)
}

// unlogged is the recorder of scan: what it says of something at rest is no
// decision of a node.
type unlogged struct{}

func (unlogged) Record(context.Context, *policy.Decision) (uint64, error) { return 0, nil }
func (unlogged) Last() time.Time                                          { return time.Time{} }

// judge is the engine over facts that were gathered.
func judge(p *policy.Policy, store *cache.Store, known ...func(*inspect.Files)) *engine.Engine {
	files := &inspect.Files{Store: store, Rules: len(catalogue.All())}
	for _, give := range known {
		give(files)
	}
	e := engine.New(unlogged{},
		&inspect.Spec{Rules: rules.All()},
		files)
	e.SetPolicy(p)
	e.Redact(redact.Redactor{Keyed: keyed()})
	return e
}

// keyed makes fingerprints under a key that lives as long as the command.
func keyed() func(identity []byte) [16]byte {
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // ends the program where it cannot
	return func(identity []byte) (out [16]byte) {
		h := hmac.New(sha256.New, secret)
		h.Write(identity)
		copy(out[:], h.Sum(nil))
		return out
	}
}

// answer writes the report and gives the verdict its exit code.
func (s *scan) answer(d *policy.Decision, t *target.Target) error {
	if t.Config == nil { // a folder has no layers
		for i := range d.Findings {
			d.Findings[i].Layer = ""
		}
	}
	if err := s.writer()(d); err != nil {
		return err
	}
	if d.Verdict != policy.Allow {
		return &ExitError{Code: ExitBlocked}
	}
	return nil
}

// writer writes the decision in the format that was asked for; nil where there
// is none of that name.
func (s *scan) writer() func(d *policy.Decision) error {
	switch s.format {
	case "text":
		return func(d *policy.Decision) error { return report.Text(s.out, d, colored(s.out)) }
	case "json":
		return func(d *policy.Decision) error { return report.JSON(s.out, d) }
	case "sarif":
		return func(d *policy.Decision) error { return report.SARIF(s.out, d, inspect.Catalogue(), s.version) }
	case "html":
		return func(d *policy.Decision) error { return report.HTML(s.out, d) }
	}
	return nil
}

package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"strings"

	"filippo.io/age"
	"github.com/spf13/cobra"
	cosign "github.com/transparency-dev/formats/note"

	"github.com/phigate/phigate/plugin/audit"
	"github.com/phigate/phigate/policy"
)

const auditVerifyLong = `Verify reads a decision log and says whether it is as phigated wrote it. It needs
the log's folder and nothing else: no phigated, no network. FOLDER is that of a copy;
without it, it is this node's. With more it proves more:

  --checkpoint FILE  a checkpoint that was kept elsewhere: no record that it covers
                     was changed, left out or put in since it was made
  --key VKEY         the log's verifier key, noted when the log was enrolled; the
                     one in the folder could have been changed with the log
  --witness VKEY     the checkpoints that are given carry this witness's cosignature
  --identity FILE    the auditor's age identity, or X25519 key in PEM: each record has the
                     mac of its epoch, which names the first that was changed
  --k0 FILE          the log's first keys, already unwrapped (age -d k0-0.age)
  --whole            no record is missing at the beginning either: archived segments
                     lie in the folder beside the others

It ends with 0 where nothing is wrong, with 4 where something is, and then names the
first record that is affected.`

// auditVerify is what the command was asked for.
type auditVerify struct {
	logFlags
	checkpoints, k0, witnesses []string
	key, format, identity      string
	whole                      bool
}

func newAuditVerifyCommand() *cobra.Command {
	var a auditVerify
	cmd := &cobra.Command{
		Use: "verify [FOLDER]", Short: "Say whether the decision log is as phigated wrote it", Long: auditVerifyLong,
		Example: "  phigate audit verify\n  phigate audit verify /mnt/copy --checkpoint kept.txt --key phigate.dev/log/...",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 && (a.folder != "" || a.stateDir != "") {
				return usage("the log is named twice: %s, and by --log or --state-dir", args[0])
			}
			if len(args) > 0 {
				a.folder = args[0]
			}
			if a.format != "text" && a.format != "json" {
				return usage("--format %q: it is text or json", a.format)
			}
			return a.run(cmd)
		},
	}
	a.add(cmd)
	flags := cmd.Flags()
	flags.StringArrayVar(&a.checkpoints, "checkpoint", nil, "a checkpoint that was kept elsewhere, a `FILE`; may be repeated")
	flags.StringVar(&a.key, "key", "", "the log's verifier key")
	flags.StringArrayVar(&a.witnesses, "witness", nil, "a witness's verifier `KEY`; may be repeated")
	flags.StringArrayVar(&a.k0, "k0", nil, "the log's first key, unwrapped, a `FILE`; may be repeated")
	flags.StringVar(&a.identity, "identity", "", "the auditor's age identity, a `FILE`: unwraps the log's first keys")
	flags.BoolVar(&a.whole, "whole", false, "the log must be there from its first record on")
	flags.StringVar(&a.format, "format", "text", "text or json")
	return cmd
}

func (a *auditVerify) run(cmd *cobra.Command) error {
	dir, err := a.dir(cmd)
	if err != nil {
		return err
	}
	options, err := a.options(dir)
	if err != nil {
		return err
	}
	v, err := audit.Verify(cmd.Context(), dir, options)
	if err != nil {
		return explainAudit(err, dir)
	}
	if err := a.write(cmd.OutOrStdout(), dir, v); err != nil {
		return err
	}
	if !v.OK() {
		return &ExitError{Code: ExitTampered}
	}
	return nil
}

func (a *auditVerify) options(dir string) (audit.VerifyOptions, error) {
	o := audit.VerifyOptions{Verifier: a.key, Whole: a.whole, Workers: runtime.NumCPU()}
	for _, path := range a.checkpoints {
		data, err := readGiven("checkpoint", path)
		if err != nil {
			return o, err
		}
		o.Checkpoints = append(o.Checkpoints, audit.NamedNote{From: path, Note: data})
	}
	for _, key := range a.witnesses {
		w, err := cosign.NewVerifierForCosignatureV1(key)
		if err != nil {
			return o, usage("--witness %q is not a witness's verifier key: %w", key, err)
		}
		o.Witnesses = append(o.Witnesses, w)
	}
	paths := a.k0
	if len(paths) == 0 {
		own, _ := filepath.Glob(filepath.Join(dir, "k0.key*"))
		paths = own
	}
	for _, path := range paths {
		data, err := readGiven("the log's first key", path)
		if err != nil {
			return o, err
		}
		if o.Keys, err = addKeys(o.Keys, path, data); err != nil {
			return o, err
		}
	}
	return o, a.unwrap(dir, &o)
}

func addKeys(keys []audit.FirstKey, path string, data []byte) ([]audit.FirstKey, error) {
	more, err := audit.ParseFirstKeys(data)
	if err != nil {
		return nil, usage("reading %s: %w", path, err)
	}
	return append(keys, more...), nil
}

// unwrap takes the keys that enrolment wrapped, where the auditor's identity is given.
func (a *auditVerify) unwrap(dir string, o *audit.VerifyOptions) error {
	if a.identity == "" {
		return nil
	}
	text, err := readGiven("the auditor's identity", a.identity)
	if err != nil {
		return err
	}
	identities, err := parseIdentities(text)
	if err != nil {
		return usage("%s holds no age identity, nor an X25519 private key in PEM", a.identity)
	}
	paths, err := filepath.Glob(filepath.Join(dir, "k0-*.age"))
	if err != nil || len(paths) == 0 {
		return usage("%s has no wrapped key (k0-*.age): the log was not enrolled", dir)
	}
	for _, path := range paths {
		wrapped, err := readGiven("the wrapped key", path)
		if err != nil {
			return err
		}
		in, err := age.Decrypt(bytes.NewReader(wrapped), identities...)
		if err != nil {
			return usage("unwrapping %s: %w: it was wrapped to another auditor", path, err)
		}
		plain, err := io.ReadAll(io.LimitReader(in, maxGiven))
		if err != nil {
			return usage("unwrapping %s: %w", path, err)
		}
		if o.Keys, err = addKeys(o.Keys, path, plain); err != nil {
			return err
		}
	}
	return nil
}

func (a *auditVerify) write(w io.Writer, dir string, v *audit.Verified) error {
	if a.format == "json" {
		enc := json.NewEncoder(w)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		return enc.Encode(v)
	}
	var b strings.Builder
	line := func(format string, args ...any) {
		fmt.Fprintf(&b, "%s\n", policy.Printable(fmt.Sprintf(format, args...)))
	}
	line("log        %s", v.Log)
	line("records    %d to %d in %s, %d whole", v.First, v.Last, count(v.Segments, "segment"), v.Records)
	line("root       %s", v.Root)
	line("macs       %d checked", v.Macs)
	for _, c := range v.Checkpoints {
		state := "does not hold"
		if c.OK {
			state = "holds"
		}
		if len(c.Witnesses) > 0 {
			state += ", witnessed by " + strings.Join(c.Witnesses, ", ")
		}
		line("checkpoint %d records, %s: %s", c.Size, state, c.From)
	}
	for _, n := range v.Notes {
		line("note       %s", n)
	}
	for _, p := range v.Problems {
		where := p.File
		if p.Offset > 0 {
			where += fmt.Sprintf(", byte %d", p.Offset)
		}
		line("PROBLEM    record %d: %s: %s (%s)", p.Seq, p.Kind, p.Text, where)
	}
	if v.OK() {
		line("OK: nothing in %s is other than it was written, as far as it was checked; proven up to record %d", dir, v.Proven)
	} else {
		line("TAMPERED OR DAMAGED: the first record affected is %d. Keep a copy of the folder as it is; phigate audit reconcile says what the journal has of it", v.Problems[0].Seq)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

package cli

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/phigate/phigate/plugin/audit"
)

const auditReconcileLong = `Reconcile holds what other places have of the decisions against the log: a node's
journal (journalctl -t phigate -o json, or -o export) and copies
(phigate audit export --format json). It names the decisions that are

  missing    in the log, and not there
  foreign    there, and not in the log: forged, or the log has lost them
  altered    there under the same number, and another one
  duplicate  there more than once, which a journal may have after a restart

It ends with 0 when none is missing, foreign or altered, else with 4.`

// auditReconcile is what the command was asked for.
type auditReconcile struct {
	logFlags
	journals, copies []string
	from             uint64
	format           string
}

func newAuditReconcileCommand() *cobra.Command {
	var a auditReconcile
	cmd := &cobra.Command{
		Use: "reconcile", Short: "Compare the decision log with the journal and with copies", Long: auditReconcileLong,
		Example: "  journalctl -t phigate -o json > journal.json\n  phigate audit reconcile --journal journal.json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case a.format != "text" && a.format != "json":
				return usage("--format %q: it is text or json", a.format)
			case len(a.journals)+len(a.copies) == 0:
				return usage("there is nothing to compare the log with: give --journal or --copy")
			}
			return a.run(cmd)
		},
	}
	a.add(cmd)
	flags := cmd.Flags()
	flags.StringArrayVar(&a.journals, "journal", nil, "what journalctl wrote, with -o json or -o export, a `FILE`; may be repeated")
	flags.StringArrayVar(&a.copies, "copy", nil, "an export in JSON lines, a `FILE`; may be repeated")
	flags.Uint64Var(&a.from, "from", 1, "the first decision to compare, a journal may begin later")
	flags.StringVar(&a.format, "format", "text", "text or json")
	return cmd
}

// reconciledFile is one place and what came of it.
type reconciledFile struct {
	File string `json:"file"`
	*audit.Reconciled
}

func (a *auditReconcile) run(cmd *cobra.Command) error {
	dir, err := a.dir(cmd)
	if err != nil {
		return err
	}
	var all []reconciledFile
	differs := false
	compare := func(path string, read func(io.Reader) ([]audit.Copied, error)) error {
		f, err := os.Open(path)
		if err != nil {
			return usage("opening a copy of the log: %w", err)
		}
		defer f.Close()
		copies, err := read(f)
		if err != nil {
			return usage("reading %s: %w", path, err)
		}
		r, err := audit.Reconcile(cmd.Context(), dir, a.from, copies)
		if err != nil {
			return explainAudit(err, dir)
		}
		all, differs = append(all, reconciledFile{path, r}), differs || !r.OK()
		return nil
	}
	for _, path := range a.journals {
		if err := compare(path, readJournal); err != nil {
			return err
		}
	}
	for _, path := range a.copies {
		if err := compare(path, readCopy); err != nil {
			return err
		}
	}
	if err := a.write(cmd.OutOrStdout(), all); err != nil {
		return err
	}
	if differs {
		return &ExitError{Code: ExitTampered}
	}
	return nil
}

func (a *auditReconcile) write(w io.Writer, all []reconciledFile) error {
	if a.format == "json" {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		return enc.Encode(all)
	}
	for _, r := range all {
		fmt.Fprintf(w, "%s: %d entries, %d decisions in the log\n", r.File, r.Copies, r.Records)
		for _, kind := range []struct {
			name string
			seqs []uint64
		}{{"missing", r.Missing}, {"foreign", r.Foreign}, {"altered", r.Altered}, {"duplicate", r.Duplicate}} {
			if len(kind.seqs) > 0 {
				fmt.Fprintf(w, "  %-9s  %d: %s\n", kind.name, len(kind.seqs), ranges(kind.seqs))
			}
		}
		if r.Unproven > 0 {
			fmt.Fprintf(w, "  note       %d entries name no leaf: what they say was compared, and not the whole record\n", r.Unproven)
		}
		if r.OK() {
			fmt.Fprintln(w, "  OK: each decision is there as it was logged")
		}
	}
	return nil
}

// ranges writes numbers in order as 1-3, 7.
func ranges(seqs []uint64) string {
	const most = 20
	var parts []string
	for i := 0; i < len(seqs); {
		j := i
		for j+1 < len(seqs) && seqs[j+1] <= seqs[j]+1 {
			j++
		}
		if len(parts) == most {
			return strings.Join(parts, ", ") + ", ..."
		}
		part := strconv.FormatUint(seqs[i], 10)
		if seqs[j] > seqs[i] {
			part += "-" + strconv.FormatUint(seqs[j], 10)
		}
		parts = append(parts, part)
		i = j + 1
	}
	return strings.Join(parts, ", ")
}

// journalFields are the fields of an entry that say what the record says.
func journalFields() map[string]string {
	return map[string]string{
		"PHIGATE_KIND": "kind", "PHIGATE_ACTION": "verdict", "PHIGATE_CONTAINER_ID": "container", "PHIGATE_NAMESPACE": "namespace",
		"PHIGATE_POD": "pod", "PHIGATE_POD_UID": "podUid", "PHIGATE_IMAGE": "image", "PHIGATE_IMAGE_DIGEST": "imageDigest", "PHIGATE_POLICY_DIGEST": "policy",
	}
}

// maxEntry bounds one entry of a journal or a copy, in bytes.
const maxEntry = 64 << 20

// readJournal reads journalctl's JSON lines, or its export format.
func readJournal(r io.Reader) ([]audit.Copied, error) {
	in := bufio.NewReaderSize(r, 64<<10)
	first, err := in.Peek(1)
	if err != nil {
		return nil, nil // empty: all is missing
	}
	if first[0] != '{' {
		return readJournalExport(in)
	}
	var out []audit.Copied
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, maxEntry)
	for n := 1; lines.Scan(); n++ {
		var entry map[string]any
		if err := json.Unmarshal(lines.Bytes(), &entry); err != nil {
			return nil, fmt.Errorf("line %d is no JSON object", n)
		}
		fields := map[string]string{}
		for name, value := range entry {
			if text, ok := value.(string); ok {
				fields[name] = text
			}
		}
		out = addEntry(out, fields)
	}
	return out, lines.Err()
}

// addEntry takes up an entry that is of a decision; checkpoints have no number.
func addEntry(out []audit.Copied, fields map[string]string) []audit.Copied {
	seq, err := strconv.ParseUint(fields["PHIGATE_SEQ"], 10, 64)
	if err != nil {
		return out
	}
	c := audit.Copied{Seq: seq, Fields: map[string]string{}}
	if leaf := fields["PHIGATE_LEAF"]; leaf != "" {
		if c.Leaf, err = audit.ParseLeaf(leaf); err != nil {
			c.Fields["kind"] = "" // no record is without one: it counts as altered
		}
	}
	for name, fact := range journalFields() {
		if value, ok := fields[name]; ok {
			c.Fields[fact] = value
		}
	}
	return append(out, c)
}

// readCopy reads the JSON lines of an export: the record, its seq and its leaf.
func readCopy(r io.Reader) ([]audit.Copied, error) {
	var out []audit.Copied
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxEntry)
	for n := 1; lines.Scan(); n++ {
		var line struct {
			Seq  uint64 `json:"seq"`
			Leaf string `json:"leaf"`
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			return nil, fmt.Errorf("line %d is no JSON object", n)
		}
		c := audit.Copied{Seq: line.Seq}
		if line.Leaf != "" {
			leaf, err := audit.ParseLeaf(line.Leaf)
			if err != nil {
				return nil, fmt.Errorf("line %d: %w", n, err)
			}
			c.Leaf = leaf
		}
		out = append(out, c)
	}
	return out, lines.Err()
}

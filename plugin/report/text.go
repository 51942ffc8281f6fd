package report

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/hipaa"
)

// The places of one rule, and the things not looked at, that a text names.
const maxPlaces = 20

// Text writes the decision for people: the findings grouped by rule, each with
// its places, the people affected, the safeguards that the rule supports and
// the fix; what was not looked at and why; and last the verdict. With color it
// holds ANSI escapes; text from outside never does.
func Text(w io.Writer, d *policy.Decision, color bool) error {
	t := &text{w: bufio.NewWriter(w), color: color}
	t.head(d)
	if d.Kind != "" && d.Kind != "verdict" {
		t.printf("\n%s: %s\n", d.Kind, d.Message)
		return t.end()
	}
	for _, g := range Grouped(d.Findings) {
		t.group(g)
	}
	if more := d.FindingsTotal - len(d.Findings); more > 0 {
		t.printf("\n%s, not kept in the record\n", count(more, "more finding", "more findings"))
	}
	t.skipped(d)
	t.deferred(d.Deferred)
	t.coverage(d)
	t.verdict(d)
	return t.end()
}

type text struct {
	w     *bufio.Writer
	color bool
}

// printf makes every string that it is given printable.
func (t *text) printf(format string, args ...any) {
	for i, a := range args {
		if s, ok := a.(string); ok {
			args[i] = policy.Printable(s)
		}
	}
	fmt.Fprintf(t.w, format, args...) // the writer keeps the error
}

func (t *text) end() error {
	if err := t.w.Flush(); err != nil {
		return fmt.Errorf("writing report: %w", err)
	}
	return nil
}

// paint is safe to be printed as it is.
type paint string

func (t *text) paint(a policy.Action, s string) paint {
	if !t.color {
		return paint(s)
	}
	codes := map[policy.Action]string{policy.Block: "1;31", policy.Warn: "1;33", policy.Audit: "36", policy.Allow: "1;32"}
	return paint("\x1b[" + codes[a] + "m" + s + "\x1b[0m")
}

func (t *text) head(d *policy.Decision) {
	if d.Seq > 0 {
		t.printf("decision   %d\n", d.Seq)
	}
	if !d.Time.IsZero() {
		t.printf("time       %s\n", d.Time.UTC().Format("2006-01-02 15:04:05 UTC"))
	}
	for _, row := range [][2]string{
		{"gate", string(d.Gate)}, {"target", d.Target}, {"container", d.Container}, {"pod", d.Pod},
		{"image", d.Image}, {"digest", d.ImageDigest}, {"policy", d.Policy}, {"documents", d.PolicyVersion}, {"requester", requester(d)}, {"written", origin(d.Origin)},
	} {
		if row[1] != "" && row[1] != d.Target || row[0] == "target" && row[1] != "" {
			t.printf("%-9s  %s\n", row[0], row[1])
		}
	}
}

// requester is who asked for a container, and what says so.
func requester(d *policy.Decision) string {
	if d.Requester.From == "" {
		return d.Requester.Name
	}
	return d.Requester.Name + " (" + string(d.Requester.From) + ")"
}

// origin says where a record was written: a node, a program, how far its clock can
// be believed. Its digests and IDs are in the JSON.
func origin(o policy.Origin) string {
	if o == (policy.Origin{}) {
		return ""
	}
	return fmt.Sprintf("on %s by phigated %s, clock %s", o.Node, o.Version, o.Clock)
}

// Grouped are the findings by rule and action, in the order in which the
// record first names them.
func Grouped(records []policy.Record) [][]policy.Record {
	type key struct {
		rule   string
		action policy.Action
	}
	at := map[key]int{}
	var groups [][]policy.Record
	for _, r := range records {
		k := key{r.Rule, r.Action}
		i, ok := at[k]
		if !ok {
			i = len(groups)
			at[k], groups = i, append(groups, nil)
		}
		groups[i] = append(groups[i], r)
	}
	return groups
}

func (t *text) group(records []policy.Record) {
	r := records[0]
	t.printf("\n%s  %s  %s\n", t.paint(r.Action, fmt.Sprintf("%-5s", strings.ToUpper(r.Action.String()))), r.Rule, r.Severity.String())
	same := !slices.ContainsFunc(records, func(o policy.Record) bool { return o.Message != r.Message })
	if same {
		t.printf("  %s\n", r.Message)
	}
	for i, p := range records {
		if i == maxPlaces {
			t.printf("    ... %s, see --format json\n", count(len(records)-i, "more place", "more places"))
			break
		}
		t.place(p, same)
	}
	for _, c := range r.Citations {
		t.printf("  supports %s\n", cited(c))
	}
	if r.Fix != "" {
		t.printf("  fix: %s\n", r.Fix)
	}
}

// cited adds the paragraph's title and kind, where the catalogue has them.
func cited(citation string) string {
	c, ok := hipaa.Parse(citation)
	if !ok {
		return citation
	}
	return fmt.Sprintf("%s, %s (%s)", citation, c.Title(), c.Kind())
}

// place is where something was found; what it is stands there unless it is said
// of all places.
func (t *text) place(r policy.Record, said bool) {
	where := r.Path
	if where == "" {
		where = r.Field
	}
	if where == "" {
		where = "the container"
	}
	var facts []string
	if !said {
		facts = append(facts, r.Message)
	}
	if r.Deleted {
		facts = append(facts, "deleted by an upper layer, still in the image")
	}
	if r.Individuals.Point > 0 {
		facts = append(facts, people(r.Individuals))
	}
	if r.Synthetic {
		facts = append(facts, "marked as test data")
	}
	if matches := r.Matches(); matches != "" {
		facts = append(facts, matches)
	}
	if r.Layer != "" {
		facts = append(facts, "layer "+short(r.Layer))
	}
	if r.Exception != "" {
		facts = append(facts, "exception "+r.Exception)
	}
	if len(facts) == 0 {
		t.printf("    %s\n", where)
		return
	}
	t.printf("    %s  (%s)\n", where, strings.Join(facts, "; "))
}

// people is an estimate, with its bounds where they say more.
func people(i policy.Individuals) string {
	if i.Low == i.Point && i.High == i.Point {
		return count(i.Point, "person", "people")
	}
	return fmt.Sprintf("about %s, %s to %s", count(i.Point, "person", "people"), thousands(int64(i.Low)), thousands(int64(i.High)))
}

// short is a digest as people compare them.
func short(key string) string {
	const keep = len("sha256:") + 12
	if rest, ok := strings.CutPrefix(key, "sha256:"); ok && len(rest) == 64 {
		return key[:keep]
	}
	return key
}

func (t *text) skipped(d *policy.Decision) {
	n := total(d.SkippedTotal, len(d.Skipped))
	if n == 0 {
		return
	}
	t.printf("\nnot looked at\n")
	for i, s := range d.Skipped {
		if i == maxPlaces {
			break
		}
		t.printf("  %s  %s  %s: %s\n", t.paint(s.Action, fmt.Sprintf("%-5s", strings.ToUpper(s.Action.String()))), s.Rule, s.Where, s.Reason)
	}
	if more := n - maxPlaces; more > 0 {
		t.printf("  ... %s more, see --format json\n", thousands(int64(more)))
	}
}

// deferred groups the rules by the gate that will judge them.
func (t *text) deferred(ds []policy.Deferred) {
	type key struct {
		gate    policy.Gate
		missing string
	}
	var order []key
	rules := map[key][]string{}
	for _, d := range ds {
		k := key{d.Gate, d.Missing}
		if rules[k] == nil {
			order = append(order, k)
		}
		rules[k] = append(rules[k], d.Rule)
	}
	if len(order) > 0 {
		t.printf("\njudged at a later gate\n")
	}
	for _, k := range order {
		t.printf("  %s: %s (needs %s)\n", string(k.gate), strings.Join(rules[k], ", "), k.missing)
	}
}

func (t *text) coverage(d *policy.Decision) {
	files := "1 file"
	if d.Coverage.Files != 1 {
		files = thousands(d.Coverage.Files) + " files"
	}
	t.printf("\nlooked at  %s, %s, %s", files, size(d.Coverage.Bytes), count(d.Coverage.Rules, "rule", "rules"))
	switch {
	case d.DurationMs >= 1:
		t.printf(" in %s ms", thousands(d.DurationMs))
	case d.DurationUs > 0:
		t.printf(" in %d us", d.DurationUs)
	}
	t.printf("\n")
	if d.Individuals.Point > 0 {
		t.printf("affected   %s\n", people(d.Individuals))
	}
	for _, note := range d.Notes {
		t.printf("note       %s\n", note)
	}
}

// verdict is the last line, what scripts and tired people look at.
func (t *text) verdict(d *policy.Decision) {
	words := map[policy.Action]string{policy.Block: "BLOCKED", policy.Allow: "ALLOWED"}
	word, ok := words[d.Verdict]
	if !ok {
		word = strings.ToUpper(d.Verdict.String())
	}
	var parts []string
	rules := map[string]bool{}
	for _, r := range d.Findings {
		rules[r.Rule] = true
	}
	switch n := len(d.Findings); {
	case d.FindingsTotal > n: // of how many rules, the record cannot say
		parts = append(parts, count(d.FindingsTotal, "finding", "findings"))
	case n == 0:
		parts = append(parts, "no findings")
	default:
		parts = append(parts, count(n, "finding", "findings")+" of "+count(len(rules), "rule", "rules"))
	}
	if n := total(d.SkippedTotal, len(d.Skipped)); n > 0 {
		parts = append(parts, fmt.Sprintf("%s not looked at", thousands(int64(n))))
	}
	if n := len(d.Deferred); n > 0 {
		parts = append(parts, count(n, "rule", "rules")+" judged later")
	}
	if d.Mode == policy.AuditOnly {
		parts = append(parts, "the policy only audits")
	}
	t.printf("\n%s  %s: %s\n", t.paint(d.Verdict, word), d.Target, strings.Join(parts, ", "))
}

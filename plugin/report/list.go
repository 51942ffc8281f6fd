package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/phigate/phigate/policy"
)

// listed bounds the rules that one line names.
const listed = 4

// List writes one line for each decision: number, time, verdict or kind, gate,
// target, and the rules or the message.
func List(w io.Writer, ds []*policy.Decision) error {
	for _, d := range ds {
		if _, err := fmt.Fprintln(w, line(d)); err != nil {
			return fmt.Errorf("writing list: %w", err)
		}
	}
	return nil
}

func line(d *policy.Decision) string {
	head := fmt.Sprintf("%6d  %s  ", d.Seq, d.Time.UTC().Format("2006-01-02T15:04:05Z"))
	if d.Kind != "verdict" {
		text := d.Message
		if d.Target != "" {
			text = d.Target + ": " + text
		}
		return head + fmt.Sprintf("%-15s  %s", policy.Printable(d.Kind), policy.Printable(text))
	}
	return head + fmt.Sprintf("%-5s  %-8s  %s  %s", d.Verdict, d.Gate, policy.Printable(d.Target), summary(d))
}

// summary names the rules, the strictest action first, as they are recorded.
func summary(d *policy.Decision) string {
	var parts []string
	seen := map[string]bool{}
	for _, r := range d.Findings {
		if seen[r.Rule] {
			continue
		}
		seen[r.Rule] = true
		part := policy.Printable(r.Rule)
		if r.Action != policy.Block {
			part += " (" + r.Action.String() + ")"
		}
		parts = append(parts, part)
	}
	if more := len(parts) - listed; more > 0 {
		parts = append(parts[:listed], fmt.Sprintf("%d more rules", more))
	}
	if n := total(d.SkippedTotal, len(d.Skipped)); n > 0 {
		parts = append(parts, fmt.Sprintf("%d not looked at", n))
	}
	if len(parts) == 0 {
		return "no findings"
	}
	return strings.Join(parts, ", ")
}

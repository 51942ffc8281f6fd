package explain

import (
	"fmt"
	"io"
	"strings"

	"github.com/phigate/phigate/policy"
)

// Text writes a sheet for people.
func Text(w io.Writer, s *Sheet) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %s\n\npolicies\n", verdict(s.Verdict), policy.Printable(s.Target))
	fmt.Fprintf(&b, "  applies         %s, built in\n", policy.Baseline)
	for _, d := range s.Policies {
		name := policy.Printable(d.Name) + ", " + policy.Printable(d.Source)
		switch {
		case !d.Applies:
			fmt.Fprintf(&b, "  does not apply  %s: selector.%s does not choose it\n", name, strings.TrimPrefix(d.ExcludedBy, "selector."))
		case d.Tightens:
			fmt.Fprintf(&b, "  applies         %s: by what the pod's author writes, or by what cannot be seen, so it can only tighten\n", name)
		default:
			fmt.Fprintf(&b, "  applies         %s\n", name)
		}
	}
	for _, n := range s.Notes {
		fmt.Fprintf(&b, "  note            %s\n", policy.Printable(n))
	}
	for _, part := range []struct{ state, title string }{
		{Found, "rules that found something"}, {Unjudged, "rules that could not be judged"},
		{Later, "rules that a later gate judges"}, {Unknown, "rules of which the record says nothing"},
		{Clean, "rules that found nothing"}, {Foreign, "rules that ask for what it does not have"},
	} {
		writePart(&b, s.Rules, part.state, part.title)
	}
	if len(s.Skipped) > 0 {
		b.WriteString("\nnot looked at\n")
	}
	for _, k := range s.Skipped {
		fmt.Fprintf(&b, "  %-5s  %s: %s [%s]\n", k.Action, policy.Printable(k.Where), policy.Printable(k.Reason), k.Rule)
		writeReasons(&b, "         ", k.Reasons)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func verdict(a policy.Action) string {
	if a == policy.Allow {
		return "ALLOWED"
	}
	return "BLOCKED"
}

func writePart(b *strings.Builder, rules []Rule, state, title string) {
	headed := false
	for _, r := range rules {
		if r.State != state {
			continue
		}
		if !headed {
			fmt.Fprintf(b, "\n%s\n", title)
			headed = true
		}
		fmt.Fprintf(b, "  %-5s  %s", r.Action, policy.Printable(r.ID))
		switch state {
		case Unjudged:
			fmt.Fprintf(b, ": %s", r.Missing)
		case Later:
			fmt.Fprintf(b, ": gate %s will see %s", r.Gate, r.Missing)
		case Foreign:
			fmt.Fprintf(b, ": no %s", r.Missing)
		}
		b.WriteByte('\n')
		writeFindings(b, r.Findings)
		if len(r.Findings) == 0 && (len(r.Reasons) > 1 || len(r.Reasons) == 1 && (r.Reasons[0].By != policy.Baseline || r.Reasons[0].Why != "")) {
			writeReasons(b, "         ", r.Reasons)
		}
	}
}

func writeFindings(b *strings.Builder, findings []Finding) {
	for _, f := range findings {
		fmt.Fprintf(b, "         %s: %s\n", policy.Printable(f.Where), policy.Printable(f.Message))
		writeReasons(b, "           ", f.Reasons)
	}
}

func writeReasons(b *strings.Builder, indent string, reasons []Reason) {
	for _, r := range reasons {
		by := policy.Printable(r.By)
		if r.Source != "" {
			by += " (" + policy.Printable(r.Source) + ")"
		}
		fmt.Fprintf(b, "%s%s says %s", indent, by, r.Said)
		if r.Action != r.Said {
			fmt.Fprintf(b, ", which becomes %s", r.Action)
		}
		if r.Why != "" {
			fmt.Fprintf(b, ": %s", policy.Printable(r.Why))
		}
		b.WriteByte('\n')
	}
}

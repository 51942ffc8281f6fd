package rules

import (
	"fmt"
	"io"
	"strings"

	"github.com/phigate/phigate/policy"
)

// Markdown writes the catalogue as RULES.md has it.
func Markdown(w io.Writer, rules []policy.Rule) error {
	var b strings.Builder
	b.WriteString("# Rules\n\nGenerated from the values in this folder by `go test -update`. A rule supports a safeguard of 45 CFR part 164;\n" +
		"it never makes anyone compliant.\n\n| rule | row | severity | action | supports |\n| --- | --- | --- | --- | --- |\n")
	for _, r := range rules {
		fmt.Fprintf(&b, "| [%s](#%s) | %s | %s | %s | %s |\n", r.ID, r.ID, strings.Join(r.Aliases, ", "), r.Severity, r.Default, citations(r.Info, false))
	}
	for _, r := range rules {
		fmt.Fprintf(&b, "\n## %s\n\n%s.\n\n%s\n\n- Supports: %s\n- Needs: %s\n", r.ID, r.Title, r.Rationale, citations(r.Info, true), r.Needs)
		if r.Early != 0 {
			fmt.Fprintf(&b, "- Violations can be proved from: %s\n", r.Early)
		}
		if r.Isolation {
			b.WriteString("- An isolation rule: audited in the platform's namespaces\n")
		}
		fmt.Fprintf(&b, "- Fix: %s\n", r.Fix)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func citations(info policy.Info, long bool) string {
	var out []string
	for _, c := range info.Cites {
		text := c.String()
		if long {
			text += fmt.Sprintf(" (%s, %s)", c.Title(), c.Kind())
		}
		out = append(out, text)
	}
	return strings.Join(out, ", ")
}

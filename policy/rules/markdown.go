package rules

import (
	"fmt"
	"io"
	"strings"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/hipaa"
)

// Markdown writes the catalogue as RULES.md has it.
func Markdown(w io.Writer, rules []policy.Rule) error {
	var b strings.Builder
	b.WriteString("# Rules\n\nGenerated from the values in this folder by `go generate ./policy/rules`. A rule supports a safeguard of 45 CFR part 164;\n" +
		"it never makes anyone compliant. \"R\" is a required and \"A\" an addressable implementation specification, others are standards.\n\n" + ephi +
		"\n| rule | row | severity | action | supports |\n| --- | --- | --- | --- | --- |\n")
	for _, r := range rules {
		fmt.Fprintf(&b, "| [%s](#%s) | %s | %s | %s | %s |\n", r.ID, r.ID, strings.Join(r.Aliases, ", "), r.Severity, r.Info.Actions(), citations(r.Info, false))
	}
	for _, r := range rules {
		fmt.Fprintf(&b, "\n## %s\n\n%s.\n\n%s\n\n- %s: %s\n", r.ID, r.Title, r.Rationale, capital(r.Relation.String()), citations(r.Info, true))
		for _, c := range r.Controls {
			fmt.Fprintf(&b, "- Corresponds to: %s\n", c)
		}
		for _, p := range r.Proposed {
			fmt.Fprintf(&b, "- Would support, if it became law: %s\n", p)
		}
		fmt.Fprintf(&b, "- Needs: %s\n", r.Needs)
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

// ephi is what operators must know of rules whose weight depends on whether a
// container handles ePHI.
const ephi = `Whether a container handles ePHI is what the operator says, never a guess. Where two actions stand below, the second is of containers that
mount a volume which a policy declares to hold ePHI; the others hold everywhere. A policy that selects the namespaces or images with ePHI
raises more of them, for example:

    spec:
      selector: {namespaces: {in: ["clinic-*"]}}
      phiVolumes: ["/srv/ephi/**", "/srv/codes/**:ro", "container:/data/phi"]
      rules:
      - {id: run-as-root, action: block}
      - {id: image-not-pinned, action: block}

In phiVolumes a path of the host, or a pattern, says where ePHI lies; with ` + "`:ro`" + ` it is to be mounted read-only; with ` + "`container:`" + ` it is a
path of the container at which a volume must be mounted. What one document declares is granted to the containers that it selects
by namespace, image or client, and to no others.
`

func capital(word string) string { return strings.ToUpper(word[:1]) + word[1:] }

// citations lists what a rule cites, with the kind of each paragraph.
func citations(info policy.Info, long bool) string {
	var out []string
	for _, c := range info.Cites {
		text := c.String()
		switch {
		case long:
			text += fmt.Sprintf(" (%s, %s)", c.Title(), c.Kind())
		case c.Kind() == hipaa.Required:
			text += " (R)"
		case c.Kind() == hipaa.Addressable:
			text += " (A)"
		}
		out = append(out, text)
	}
	return strings.Join(out, ", ")
}

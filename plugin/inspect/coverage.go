//go:generate go test -count=1 -run ^TestCoverage$ . -update

package inspect

import (
	"fmt"
	"io"
	"strings"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/hipaa"
)

// byProduct are paragraphs that phigate serves by what it is and not by a rule.
func byProduct() map[string]string {
	return map[string]string{
		"164.308(a)(1)(ii)(D)": "the decision log, `phigate decisions`",
		"164.308(a)(6)(ii)":    "a record of each refusal",
		"164.308(a)(8)":        "the digest of the policy in each record; images are judged anew when the policy changes",
		"164.312(a)(2)(ii)":    "break-glass, for a time and recorded",
		"164.312(c)(2)":        "the decision log is tamper-evident; of other data nothing",
		"164.316(b)(1)":        "the record of each decision, with the exceptions used",
		"164.316(b)(2)(iii)":   "the digest of the policy in each record",
	}
}

// Coverage writes which rules serve which paragraph of the Security Rule, and
// which paragraphs nothing can serve that looks at containers.
func Coverage(w io.Writer, infos []policy.Info) error {
	var b strings.Builder
	b.WriteString("# Coverage of the HIPAA Security Rule\n\nGenerated from the catalogue: `go generate ./plugin/inspect`. Which rules serve which paragraph of 45 CFR 164.308 to 164.316. A rule\n" +
		"supports a safeguard or gives evidence of it; none makes anyone compliant, and a paragraph with many rules is not thereby met. Where a line has\n" +
		"none, nothing that looks at containers can support it: it asks for people, contracts, buildings or plans.\n\n" +
		"| paragraph | kind | subject | served by |\n| --- | --- | --- | --- |\n")
	for _, c := range hipaa.SecurityRule() {
		served := serving(infos, c)
		if what := byProduct()[c.Paragraph()]; what != "" {
			served = append(served, what)
		}
		line := strings.Join(served, ", ")
		if line == "" {
			line = "nothing at run time"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", c.Paragraph(), c.Kind(), c.Title(), line)
	}
	b.WriteString("\nOther paragraphs of part 164 that rules cite:\n\n| paragraph | kind | subject | served by |\n| --- | --- | --- | --- |\n")
	for _, c := range hipaa.All() {
		if served := serving(infos, c); len(served) > 0 && !inSecurityRule(c) {
			fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", c.Paragraph(), c.Kind(), c.Title(), strings.Join(served, ", "))
		}
	}
	b.WriteString("\n## What the citations were checked against\n\nParagraph, its name and whether it is a standard, required or addressable, in copies of the rule's text:\n\n" +
		"| sections | copy | as of |\n| --- | --- | --- |\n")
	for _, s := range hipaa.Sources() {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", strings.Join(s.Sections, ", "), s.Copy, s.AsOf)
	}
	for _, c := range hipaa.Unread() {
		fmt.Fprintf(&b, "| %s | none was found: it rests on what others say of it | |\n", c.Paragraph())
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func inSecurityRule(c hipaa.Citation) bool {
	for _, other := range hipaa.SecurityRule() {
		if c == other {
			return true
		}
	}
	return false
}

// serving are the rules that cite a paragraph.
func serving(infos []policy.Info, c hipaa.Citation) (ids []string) {
	for _, info := range infos {
		for _, cited := range info.Cites {
			if cited != c {
				continue
			}
			id := "`" + info.ID + "`"
			if info.Relation == policy.Evidences {
				id += " (evidence)"
			}
			ids = append(ids, id)
		}
	}
	return ids
}

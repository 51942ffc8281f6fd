package config

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/phigate/phigate/policy"
)

// FromDialect writes the Aqua-style policies of a file as policies of our own
// kind, in canonical form, with the same meaning: each rule keeps its scanner,
// its entries and its action. The notes say what is not carried over or is now
// said where it was implied. The mode is written, since our own kind has one;
// the dialect follows that of the other policies.
func FromDialect(f File, mode policy.Mode, catalogue []policy.Info) (out []byte, notes []string, problems Problems, err error) {
	before, problems := Compile([]File{f}, catalogue)
	if before == nil {
		return nil, nil, problems.Errors(), nil
	}
	src, data := load(f)
	var documents []string
	for _, doc := range src.parse(data) {
		if version := doc.get("apiVersion"); version.text != dialectVersion {
			notes = append(notes, fmt.Sprintf("line %d: a document of %s is no policy of the dialect, and is not written", doc.at.line, policy.Printable(version.text)))
			continue
		}
		var p dialectPolicy
		src.decode(doc, &p)
		documents = append(documents, p.ownText(mode))
		notes = append(notes, fmt.Sprintf("policy %s: mode %s is said now; before, it followed the other policies", policy.Printable(p.Metadata.Name.Value), mode))
	}
	if len(documents) == 0 {
		src.problem(position{}, "the file holds no policy of the dialect (apiVersion %s)", dialectVersion)
		return nil, notes, src.problems, nil
	}
	if strings.Contains(string(data), "#") {
		notes = append(notes, "comments are not carried over")
	}
	text := File{Name: f.Name, Data: []byte(strings.Join(documents, "---\n"))}
	if after, wrong := Compile([]File{text}, catalogue); after == nil {
		return nil, notes, nil, fmt.Errorf("converting %s: what was written is not valid: %s", policy.Printable(f.Name), wrong.Errors()[0].Message)
	}
	out, _, err = Format(text)
	return out, notes, nil, err
}

// ownText is a policy of the dialect as one of our own kind.
func (p *dialectPolicy) ownText(mode policy.Mode) string {
	var b strings.Builder
	quote := strconv.Quote
	fmt.Fprintf(&b, "apiVersion: %s\nkind: Policy\nmetadata:\n  name: %s\nspec:\n", ownVersion, quote(p.Metadata.Name.Value))
	if p.Spec.Description != "" {
		fmt.Fprintf(&b, "  description: %s\n", quote(p.Spec.Description))
	}
	fmt.Fprintf(&b, "  mode: %s\n  rules:\n", mode)
	for _, r := range p.Spec.Rules {
		title := strings.Join(strings.Fields(r.Description), " ")
		for _, sc := range scanners() {
			if title == "" && sc.name == r.Scanner.Value {
				title = sc.title
			}
		}
		fmt.Fprintf(&b, "  - id: %s\n    title: %s\n    scanner: %s\n    match:\n", quote(r.Name.Value), quote(title), r.Scanner.Value)
		for _, list := range []struct {
			key     string
			entries []entry
		}{{"any", r.Match.Any}, {"all", r.Match.All}} {
			if len(list.entries) == 0 {
				continue
			}
			fmt.Fprintf(&b, "      %s:\n", list.key)
			for _, e := range list.entries {
				fmt.Fprintf(&b, "      - %s: %s\n", e.key, quote(e.value))
			}
		}
		fmt.Fprintf(&b, "    action: %s\n", r.Action.value)
	}
	return b.String()
}

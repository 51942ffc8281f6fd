package hipaa

import (
	"regexp"
	"strings"
	"testing"
)

// paragraph is the numbering of 45 CFR part 164: (a), (1), (i), (A).
var paragraph = regexp.MustCompile(`^164\.402$|^164\.[345]\d\d\([a-z]\)(\(\d+\)(\([ivx]+\)(\([A-Z]\))?)?)?$`)

func TestAllAreUniqueParagraphs(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range All() {
		if !paragraph.MatchString(c.Paragraph()) {
			t.Errorf("%q is not numbered as the part is", c.Paragraph())
		}
		if seen[c.Paragraph()] {
			t.Errorf("%s is listed twice", c.Paragraph())
		}
		seen[c.Paragraph()] = true
		if c.Title() == "" {
			t.Errorf("%s has no title", c.Paragraph())
		}
	}
}

// TestKinds holds the kinds to the implementation specifications as subpart C
// marks them, (R) or (A), and the rest to what it calls a standard.
func TestKinds(t *testing.T) {
	specifications := map[string]Kind{
		"164.306(a)(1)": Provision, "164.402": Provision, "164.408(b)": Provision,
		"164.308(a)(4)(ii)(C)": Addressable, "164.308(a)(5)(ii)(C)": Addressable, "164.308(a)(7)(ii)(A)": Required,
		"164.312(a)(2)(iii)": Addressable, "164.308(a)(1)(ii)(A)": Required, "164.308(a)(1)(ii)(B)": Required, "164.308(a)(4)(ii)(B)": Addressable,
		"164.308(a)(5)(ii)(B)": Addressable, "164.308(a)(5)(ii)(D)": Addressable, "164.312(a)(2)(i)": Required,
		"164.312(a)(2)(iv)": Addressable, "164.312(e)(2)(ii)": Addressable,
	}
	for _, c := range All() {
		want, isSpecification := specifications[c.Paragraph()]
		if !isSpecification {
			want = Standard
		}
		if c.Kind() != want {
			t.Errorf("%s is %s, want %s", c.Paragraph(), c.Kind(), want)
		}
		delete(specifications, c.Paragraph())
	}
	if len(specifications) > 0 {
		t.Errorf("%d paragraphs are not listed", len(specifications))
	}
	if got := AuditControls.Kind(); got != Standard {
		t.Errorf("164.312(b) is %s: it is a standard without implementation specifications", got)
	}
}

func TestParse(t *testing.T) {
	for _, text := range []string{"164.312(a)(1)", "45 CFR 164.312(a)(1)", "  45 CFR  164.312(a)(1) "} {
		if c, ok := Parse(text); !ok || c != AccessControl {
			t.Errorf("Parse(%q) = %s, %t", text, c, ok)
		}
	}
	for _, text := range []string{"", "45 CFR", "164.312", "164.312(a)(9)", "164.312(a)(1)x", "164.999(a)"} {
		if c, ok := Parse(text); ok {
			t.Errorf("Parse(%q) = %s, want none", text, c)
		}
	}
	for _, c := range All() {
		if got, ok := Parse(c.String()); !ok || got != c {
			t.Errorf("Parse(%q) = %s, %t", c.String(), got, ok)
		}
	}
}

// TestProposalsAreNeverPrintedAsLaw holds what is printed of the proposed rule
// to saying so, and to stay out of what operators can cite.
func TestProposalsAreNeverPrintedAsLaw(t *testing.T) {
	for _, p := range []Proposal{
		ProposedAccessControl, ProposedEncryption, ProposedConfiguration, ProposedAuditTrail, ProposedAuthentication,
		ProposedTransmission, ProposedVulnerability,
	} {
		text := p.String()
		if !strings.HasPrefix(text, "proposed 164.312(") || strings.Contains(text, "45 CFR") {
			t.Errorf("%q does not say first that it is proposed", text)
		}
		if c, ok := Parse(text); ok {
			t.Errorf("%q is taken for %s", text, c)
		}
	}
}

// TestSecurityRule: each paragraph once, and everything of the Security Rule that
// can be cited is in it.
func TestSecurityRule(t *testing.T) {
	listed := map[string]Citation{}
	for _, c := range SecurityRule() {
		if _, twice := listed[c.Paragraph()]; twice || c.Title() == "" {
			t.Errorf("%s stands twice or has no title", c)
		}
		listed[c.Paragraph()] = c
	}
	for _, c := range All() {
		inRule := strings.HasPrefix(c.Paragraph(), "164.308") || strings.HasPrefix(c.Paragraph(), "164.31")
		if got, ok := listed[c.Paragraph()]; inRule && (!ok || got != c) {
			t.Errorf("%s is not in the list, or otherwise", c)
		}
	}
}

// TestSources: each citation was checked against a copy of the rule, or is said
// not to have been.
func TestSources(t *testing.T) {
	unread := map[Citation]bool{}
	for _, c := range Unread() {
		unread[c] = true
	}
	for _, c := range append(All(), SecurityRule()...) {
		s, ok := SourceOf(c)
		if ok == unread[c] {
			t.Errorf("%s: read in a copy is %t, said not to be read is %t", c, ok, unread[c])
		}
		if ok && (s.Copy == "" || s.AsOf == "") {
			t.Errorf("%s: its copy has no name or no day", c)
		}
	}
	for _, c := range []Citation{{paragraph: "164.3080(a)"}, {paragraph: "164.404(c)"}, {paragraph: "164.502(c)"}} {
		if _, ok := SourceOf(c); ok {
			t.Errorf("%s was read, though no copy has it", c)
		}
	}
	if s, _ := SourceOf(Citation{paragraph: "164.308(b)(3)"}); s.AsOf != "not said" {
		t.Error("the narrower source does not win")
	}
}

package hipaa

import "strings"

// Source is a copy of the rule's text that citations were checked against:
// paragraph, what it is called and, in subpart C, the word in parentheses behind it.
type Source struct {
	Sections []string // "164.308", or a paragraph of it
	Copy     string
	AsOf     string // the day that the copy is of
}

// Sources lists the copies, for each citation the newest. Of a section that is
// named whole everything that is cited was read.
func Sources() []Source {
	return []Source{
		{[]string{"164.306", "164.308", "164.310", "164.312"}, "eCFR, title 45, part 164, subpart C (full text)", "2026-10-07"},
		{[]string{"164.308(b)(3)"}, "45 CFR 164.314(a)(1), which names it, and appendix A to subpart C (ecfr.io)", "not said"},
		{[]string{"164.314"}, "businessassociateagreements.com, as amended at 78 FR 5694", "not said"},
		{[]string{"164.316"}, "law.lawstack.com, verified against eCFR", "2026-06-20"},
		{[]string{"164.402"}, "brickergraydon.com, as amended January 2013; the same in a copy of 2024", "2024"},
		// Beside 164.408 these are the deadlines that reports count by.
		{[]string{"164.404(b)", "164.406", "164.410(b)"}, "eCFR, as a register of notification deadlines quotes it; the first two also on brickergraydon.com", "2026-10-06"},
		{[]string{"164.408"}, "getpocketlaw.com, as amended at 78 FR 5695; its deadlines in the register above", "not said"},
		{[]string{"164.502(a)"}, "casetext.com, current through", "2024-10-31"},
		{[]string{"164.502(b)"}, "extracts of eCFR in several repositories", "2026-09-05"},
	}
}

// Unread are citations whose words could not be found in a copy: they rest on
// what others say of the paragraph.
func Unread() []Citation { return []Citation{LimitedDataSet} }

// SourceOf is what a citation was checked against; false: nothing.
func SourceOf(c Citation) (best Source, ok bool) {
	length := 0
	for _, s := range Sources() {
		for _, section := range s.Sections {
			rest, within := strings.CutPrefix(c.Paragraph(), section)
			if within && (rest == "" || rest[0] == '(') && len(section) > length {
				best, length, ok = s, len(section), true
			}
		}
	}
	return best, ok
}

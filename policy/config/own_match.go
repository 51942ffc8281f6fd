package config

import (
	"strings"

	"github.com/phigate/phigate/policy"
)

// isMatch says whether a rule of the operator's own asks as the dialect does:
// by a scanner and what it shall match, instead of a condition. File names are
// seen by no condition, so this is how a policy of our own kind names them.
func (r *ownRule) isMatch() bool { return r.Scanner.Set || r.Match != nil }

// ownMatch compiles such a rule into the document. It means what the dialect's
// rule of that scanner means, and takes its citation and fix where it has none
// of its own.
func (c *compiler) ownMatch(src *source, r *ownRule, d *policy.Document) {
	before := len(src.problems)
	switch {
	case !printableName(r.ID.Value):
		src.problem(r.ID.at, "a rule's id must be 1 to %d printable characters without spaces around them", maxName)
	case c.ruleID(r.ID.Value) != "":
		src.problem(r.ID.at, "%s is a rule of the catalogue, which asks by itself; give this rule another id", shown(r.ID.Value))
	case r.Condition.Set:
		src.problem(r.Condition.at, "a rule has a condition or a scanner with its match; write two rules")
	case r.Message.Set:
		src.problem(r.Message.at, "`message` belongs to rules with a condition; a scanner says itself what it found")
	case r.Action == nil:
		src.problem(r.ID.at, "action is missing: block, warn or audit")
	case strings.TrimSpace(r.Title.Value) == "" || len(r.Title.Value) > maxSentence:
		src.problem(r.ID.at, "title is missing or longer than %d bytes: what does the rule demand, in a sentence?", maxSentence)
	case r.Override.Value && !c.dropRule(src, r):
	}
	written := &dialectRule{placed: r.placed, Name: r.ID, Scanner: r.Scanner, Match: r.Match, Action: r.Action}
	sc := findScanner(src, written)
	entries, all := src.entries(written)
	cites := src.cites(r.Cites)
	if len(src.problems) > before || sc == nil || !src.entryKeys(entries, sc) || !c.takeRule(src, r.ID, d) {
		return
	}
	info := sc.info(r.ID.Value, r.Title.Value, r.Action.value)
	if len(cites) > 0 {
		info.Cites = cites
	}
	if r.Severity.Set {
		info.Severity = r.Severity.Value
	}
	if r.Fix.Set {
		info.Fix = policy.Printable(r.Fix.Value)
	}
	d.Actions[info.ID] = info.Default
	sc.compile(src, &parsedRule{info: info, entries: entries, all: all}, d)
}

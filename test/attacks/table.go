package attacks

import (
	"fmt"
	"slices"
	"strings"
)

// means are what an attacker has.
type means int

const (
	bytesAlone means = iota // the record's bytes are moved about in the file, and no more
	itsSum                  // the checksum over the record that was changed is made anew
	noKey                   // all that needs no key is made anew: numbers, checksums, hashes
	stolenKey               // and the rest, with the keys that are found on the node
)

// attack is what is wanted of the log, and by which means.
type attack struct {
	name  string
	means means
	steps func() []step
	whole func(column) (string, error) // instead of steps: an attack on whole files
}

// column is one kind of log.
type column interface {
	title() string
	// edited is a copy of the log as the attacker leaves it.
	edited(means, []step) (string, error)
	// copied is the log as it was when it had early or late records.
	copied(records int) (string, error)
	// forked is the first copy, gone on with by other records, with the keys of then.
	forked() (string, error)
	// pruned is the log without its oldest records, as an archive leaves it.
	pruned() (string, error)
	// anew is a log that was begun after the old one was deleted.
	anew() (string, error)
	// verify asks the log's own verifier, once with the files alone, and then with
	// each thing that somebody off the node has.
	verify(folder string) ([]answer, error)
}

// answer is what a verifier said.
type answer struct {
	with  string // what it was given besides the files
	found bool
	place string // the first record that it names
}

// cell sums up the answers: what it takes to find the attack.
func cell(answers []answer) string {
	var by []string
	for i, a := range answers {
		switch {
		case !a.found:
		case i == 0:
			return strings.TrimSpace("found " + a.place)
		default:
			by = append(by, strings.TrimSpace(a.with+" "+a.place))
		}
	}
	if len(by) == 0 {
		return "**not found**"
	}
	return "with " + strings.Join(by, ", ")
}

// group is a table of the page.
type group struct {
	title   string
	attacks []attack
}

func at(n int) int { return n - 1 }

// edits are attacks on records by the same means.
func edits(m means) []attack {
	all := func(change func([]step) []step) func() []step {
		return func() []step { return change(untouched(total)) }
	}
	changed := func(f func([]byte) []byte) func() []step {
		return all(func(s []step) []step { s[at(victim)].change = f; return s })
	}
	return []attack{
		{name: "a refusal becomes an admission", means: m, steps: changed(admitted)},
		{name: fmt.Sprintf("records 1 to %d become a year older", victim), means: m, steps: all(func(s []step) []step {
			for i := range victim {
				s[i].change = backdated
			}
			return s
		})},
		{name: "a record is deleted", means: m, steps: all(func(s []step) []step { return slices.Delete(s, at(victim), victim) })},
		{name: "the middle third is deleted", means: m, steps: all(func(s []step) []step { return slices.Delete(s, total/3, 2*total/3) })},
		{name: "two records change places", means: m, steps: all(func(s []step) []step {
			s[at(victim)], s[at(partner)] = s[at(partner)], s[at(victim)]
			return s
		})},
		{name: "a record comes twice", means: m, steps: all(func(s []step) []step { return slices.Insert(s, victim, s[at(victim)]) })},
		{name: "a record is put in", means: m, steps: all(func(s []step) []step {
			return slices.Insert(s, victim, step{of: at(victim), change: func(raw []byte) []byte { return flipped(admitted(raw)) }})
		})},
	}
}

func groups() []group {
	one := func(name string, m means, change func([]byte) []byte) attack {
		return attack{name: name, means: m, steps: func() []step {
			s := untouched(total)
			s[at(victim)].change = change
			return s
		}}
	}
	cut := func(n int) func(column) (string, error) {
		return func(c column) (string, error) { return c.edited(stolenKey, untouched(n)) }
	}
	newest := func() []step {
		s := untouched(total)
		s[late].change = admitted
		return s
	}
	bare := append([]attack{one("one byte is changed", bytesAlone, flipped), one("a record is overwritten with zeros", bytesAlone, zeroed)}, edits(bytesAlone)...)
	own := one("a refusal becomes an admission, and its own checksum is made anew", itsSum, admitted)
	return []group{
		{"The bytes alone are changed", append(bare, own)},
		{"All that needs no key is made anew", edits(noKey)},
		{"All is made anew with the keys that are on the node", edits(stolenKey)},
		{"Whole files", []attack{
			{name: fmt.Sprintf("cut off at record %d", early), whole: cut(early)},
			{name: fmt.Sprintf("an earlier copy, of %d records, is put back", early), whole: func(c column) (string, error) { return c.copied(early) }},
			{name: "that copy is gone on with by other records (fork)", whole: column.forked},
			{name: "all is deleted and begun anew", whole: column.anew},
			{name: "the oldest records are deleted, as if archived", whole: column.pruned},
		}},
		{fmt.Sprintf("What is newer than record %d, of which nothing is kept elsewhere", kept), []attack{
			{name: "a refusal becomes an admission, made anew with the keys", means: stolenKey, steps: newest},
			{name: fmt.Sprintf("cut off at record %d", late), whole: cut(late)},
			{name: fmt.Sprintf("an earlier copy, of %d records, is put back", late), whole: func(c column) (string, error) { return c.copied(late) }},
		}},
	}
}

// table is what was found: a line for each attack.
type table struct {
	title string
	head  []string
	rows  [][]string // the attack, then a cell for each column
}

func (t table) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "### %s\n\n| attack | %s |\n|%s\n", t.title, strings.Join(t.head, " | "), strings.Repeat(" --- |", len(t.head)+1))
	for _, row := range t.rows {
		fmt.Fprintf(&b, "| %s |\n", strings.Join(row, " | "))
	}
	return b.String()
}

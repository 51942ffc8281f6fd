package attacks

import (
	"flag"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/phigate/phigate/test/journald"
)

var update = flag.Bool("update", false, "write what was found into deploy/ATTACKS.md")

// page is what people read; the test makes its section foundHeading.
const (
	page         = "../../deploy/ATTACKS.md"
	foundHeading = "## What was found\n"
)

// Each attack is made on a copy of each log, and each log's verifier says what it
// finds. deploy/ATTACKS.md holds the answers, and nothing else does.
func TestAttacks(t *testing.T) {
	n := newNode(t)
	columns := []column{auditd(t, n.records), chain(t, n.records), n}
	s, err := newSealed(t, n.records)
	if err == nil {
		columns = slices.Insert(columns, 0, column(s))
	} else {
		t.Logf("no Forward Secure Sealing on this machine: %v", err)
	}
	for _, c := range columns {
		dir, err := c.copied(total)
		if err != nil {
			t.Fatal(err)
		}
		answers, err := c.verify(dir)
		if err != nil || slices.ContainsFunc(answers, func(a answer) bool { return a.found }) {
			t.Fatalf("%s before any attack: %v, %v", c.title(), answers, err)
		}
	}
	found := foundHeading + "\n" + journald.Version(t) + ", journal files with an interval of " + interval.String() + ".\n"
	for _, g := range groups() {
		found += "\n" + run(t, g, columns).String()
	}
	compare(t, found, s == nil)
}

// run makes a group's attacks on each log.
func run(t *testing.T, g group, columns []column) table {
	t.Helper()
	out := table{title: g.title}
	for _, c := range columns {
		out.head = append(out.head, c.title())
	}
	for _, a := range g.attacks {
		row := []string{a.name}
		for _, c := range columns {
			row = append(row, a.on(t, c))
		}
		out.rows = append(out.rows, row)
	}
	return out
}

func (a attack) on(t *testing.T, c column) string {
	t.Helper()
	attacked := a.whole
	if attacked == nil {
		attacked = func(c column) (string, error) { return c.edited(a.means, a.steps()) }
	}
	dir, err := attacked(c)
	if err != nil {
		t.Fatalf("%s: %s: %v", c.title(), a.name, err)
	}
	answers, err := c.verify(dir)
	if err != nil {
		t.Fatalf("%s: %s: %v", c.title(), a.name, err)
	}
	return cell(answers)
}

// compare fails where the page says something else, or mends that. What another
// systemd finds, or none, is no fault of the page.
func compare(t *testing.T, found string, unsealed bool) {
	t.Helper()
	data, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(data), foundHeading)
	if !ok {
		t.Fatalf("%s has no heading %q", page, foundHeading)
	}
	body, after, _ := strings.Cut(rest, "\n## ")
	said := foundHeading + body
	if *update && !unsealed {
		if err := os.WriteFile(page, []byte(before+found+"\n## "+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if v := journald.Version(t); unsealed || !strings.Contains(said, v) {
		t.Logf("the journal's column is not compared: the page's is not of this machine's %s", v)
		said, found = withoutSealed(said), withoutSealed(found)
	}
	if said != found {
		t.Errorf("deploy/ATTACKS.md is not what was found (-file +found); after a look: make attacks ARGS=-update\n%s", cmp.Diff(said, found))
	}
}

// withoutSealed leaves the journal's column and systemd's version out.
func withoutSealed(text string) string {
	var out []string
	for l := range strings.Lines(text) {
		cells := strings.Split(l, " | ")
		if len(cells) == 5 {
			cells = slices.Delete(cells, 1, 2)
		}
		if !strings.HasPrefix(l, "systemd ") {
			out = append(out, strings.Join(cells, " | "))
		}
	}
	return strings.Join(out, "")
}

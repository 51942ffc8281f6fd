package faults

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/phigate/phigate/test/node"
)

var update = flag.Bool("update", false, "write what was found into deploy/FAULTS.md")

// cell is whether a container ran that violates the policy, and one that does not.
type cell struct{ Violating, Compliant bool }

// String says it as deploy/FAULTS.md explains it.
func (c cell) String() string {
	switch {
	case c.Violating && c.Compliant:
		return "**open**"
	case c.Violating:
		return "**violating runs**"
	case c.Compliant:
		return "judged"
	}
	return "refused"
}

// row is what became of the containers under one fault.
type row struct {
	Fault string
	Cells [doors]cell
}

// shielded sums up the two ways of a container of CRI's that is behind the wrapper.
func (r row) shielded() string {
	if r.Cells[doorCreateShielded].Violating || r.Cells[doorStartShielded].Violating {
		return "**open**"
	}
	return "holds"
}

// table is what was found on one version of containerd.
type table struct {
	Version string
	Rows    []row
}

func (t table) heading() string { return "## containerd " + t.Version + "\n" }

func (t table) String() string {
	var b strings.Builder
	b.WriteString(t.heading() + "\n| fault | CRI create | CRI start | CRI, wrapper | `ctr`, wrapper | Docker, wrapper | hook |\n| --- | --- | --- | --- | --- | --- | --- |\n")
	for _, r := range t.Rows {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %s |\n",
			r.Fault, r.Cells[doorCreate], r.Cells[doorStart], r.shielded(), r.Cells[doorCtr], r.Cells[doorDocker], r.Cells[doorHook])
	}
	return b.String()
}

// compare fails where deploy/FAULTS.md says something else, or mends that.
func (t table) compare(test *testing.T) {
	test.Helper()
	root, err := node.Root()
	if err != nil {
		test.Fatal(err)
	}
	path := filepath.Join(root, "deploy/FAULTS.md")
	data, err := os.ReadFile(path)
	if err != nil {
		test.Fatal(err)
	}
	before, section, after := t.section(string(data))
	if section == t.String() {
		return
	}
	if !*update {
		test.Errorf("deploy/FAULTS.md is not what was found (-file +found); after a look: go test ./test/faults -run TestFaults -update\n%s", cmp.Diff(section, t.String()))
		return
	}
	if section == "" {
		before += "\n"
	}
	if err := os.WriteFile(path, []byte(before+t.String()+after), 0o644); err != nil {
		test.Fatal(err)
	}
}

// section cuts this version's table, from its heading to the next, out of the text.
func (t table) section(text string) (before, section, after string) {
	before, rest, ok := strings.Cut(text, t.heading())
	if !ok {
		return text, "", ""
	}
	body, next, more := strings.Cut(rest, "\n## ")
	if !more {
		return before, t.heading() + body, ""
	}
	return before, t.heading() + body, "\n## " + next
}

// Each version's table is found between the others, and replacing it leaves them.
func TestTableSections(t *testing.T) {
	one := func(version string, c cell) table {
		return table{Version: version, Rows: []row{{Fault: "absent", Cells: [doors]cell{c, c, c, c, c, c, c}}}}
	}
	open, refused := cell{true, true}, cell{}
	a, b, c := one("1.0.1", open), one("1.0.10", refused), one("2.0.0", cell{Compliant: true})
	text := "# Words\n\n" + a.String() + "\n" + b.String() + "\n" + c.String()
	for _, want := range []table{a, b, c} {
		before, section, after := want.section(text)
		if section != want.String() {
			t.Errorf("-want +got:\n%s", cmp.Diff(want.String(), section))
		}
		if before+section+after != text {
			t.Errorf("%s: the rest of the text is lost", want.Version)
		}
	}
	if _, section, _ := one("3.0.0", open).section(text); section != "" {
		t.Errorf("a version that is not there has the table %q", section)
	}
	if got := a.Rows[0].shielded() + b.Rows[0].shielded(); got != "**open**holds" {
		t.Errorf("what is behind the wrapper is said to be %q", got)
	}
}

package phi_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/phigate/phigate/policy/detect"
	"github.com/phigate/phigate/policy/detect/detecttest"
	"github.com/phigate/phigate/policy/detect/phi"
)

// filled is a table with as many rows as people, in which %d is their number.
func filled(name, columns, row string, people int) detecttest.Table {
	t := detecttest.Table{Name: name, Columns: strings.Split(columns, ",")}
	for i := range people {
		t.Rows = append(t.Rows, strings.Split(strings.ReplaceAll(row, "%d", fmt.Sprint(i+1)), ","))
	}
	return t
}

// TestTable_database: what tables say of one person is put together under the key
// that they share; what one says alone is found there and not again.
func TestTable_database(t *testing.T) {
	const people, visits = "person_id,last_name,birth_date", "encounter_id,person_id,icd10"
	names := filled("people", people, "%d,Vandersloot,196%d-04-30", 3)
	coded := filled("encounters", visits, "9%d,%d,E11.9", 3)
	for name, c := range map[string]struct {
		tables []detecttest.Table
		people int
		each   string // rules, by table
	}{
		"identity_and_health": {[]detecttest.Table{names, coded}, 3, "pii;limited"},
		"health_first":        {[]detecttest.Table{coded, names}, 3, "limited;pii"},
		"key_of_people":       {[]detecttest.Table{filled("people", "id,last_name,birth_date", "%d,Vandersloot,196%d-04-30", 3), coded}, 3, "pii;limited"},
		"some":                {[]detecttest.Table{names, filled("encounters", visits, "9%d,%d,E11.9", 2)}, 2, "pii;limited"},
		"openmrs": {[]detecttest.Table{filled("person", "person_id,birthdate", "%d,196%d-04-30", 3), filled("person_name", "person_id,family_name", "%d,Vandersloot", 3),
			filled("obs_diagnosis", "person_id,icd10", "%d,E11.9", 3)}, 3, ";;limited"},

		"patients_alone":  {[]detecttest.Table{filled("patients", "patient_id,last_name,birth_date", "%d,Vandersloot,196%d-04-30", 3), coded}, 0, "phi-table;limited"},
		"no_health":       {[]detecttest.Table{names, filled("orders", "order_id,person_id,price", "9%d,%d,10", 3)}, 0, "pii;"},
		"other_people":    {[]detecttest.Table{names, filled("encounters", visits, "9%d,8%d,E11.9", 3)}, 0, "pii;limited"},
		"keys_of_others":  {[]detecttest.Table{filled("articles", "id,last_name,birth_date", "%d,Vandersloot,196%d-04-30", 3), coded}, 0, "pii;limited"},
		"no_identity":     {[]detecttest.Table{filled("people", "person_id,colour", "%d,red", 3), coded}, 0, ";limited"},
		"one_table_twice": {[]detecttest.Table{filled("encounters", visits, "9%d,1,E11.9", 3)}, 0, "limited"},
	} {
		t.Run(name, func(t *testing.T) {
			each, together := detecttest.Database(phi.Table(), "/a.db", c.tables...)
			var found []string
			for _, r := range each {
				rules := ""
				for _, f := range r.Findings {
					rules += f.Rule
				}
				found = append(found, rules)
			}
			if got := strings.Join(found, ";"); got != c.each {
				t.Errorf("found in tables %q, want %q", got, c.each)
			}
			checkResult(t, "phi-table", together, c.people, c.people, "")
			if c.people > 0 && together.Of("phi-table") != nil && together.Of("phi-table").Where.Offset != 0 {
				t.Error("the finding has the number of a row that is in no table")
			}
		})
	}
}

// TestTable_nested_database: a database that is found in a cell of another has
// nothing to do with it.
func TestTable_nested_database(t *testing.T) {
	set, err := detect.NewSet([]detect.Detector{phi.Table()})
	if err != nil {
		t.Fatal(err)
	}
	c := set.NewScan(func([]byte) (sum [16]byte) { return sum })
	read := func(path string, table detecttest.Table) {
		if !c.OpenTable(path, table.Columns) {
			t.Fatalf("%s is of no interest", path)
		}
		for _, row := range table.Rows {
			cells := [][]byte{}
			for _, cell := range row {
				cells = append(cells, []byte(cell))
			}
			c.Row(cells)
		}
		c.CloseTable()
	}
	coded := filled("encounters", "encounter_id,person_id,icd10", "9%d,%d,E11.9", 3)
	c.OpenDatabase("/a.db")
	read("/a.db!people", filled("people", "person_id,last_name,birth_date", "%d,Vandersloot,196%d-04-30", 3))
	c.OpenDatabase("/a.db!people!base64@7")
	read("/a.db!people!base64@7!encounters", coded)
	if got := c.CloseDatabase(); len(got.Findings) > 0 {
		t.Error("the inner one's tables were put together with the outer one's")
	}
	read("/a.db!encounters", coded)
	if got := c.CloseDatabase(); len(got.Findings) != 1 || got.Findings[0].Count != 3 {
		t.Errorf("%d findings in the outer one, want one of three people", len(got.Findings))
	}
}

// TestTable_long_values: people whose values are long take no more room than many.
func TestTable_long_values(t *testing.T) {
	const many = 60_000
	names := filled("people", "person_id,last_name,birth_date,email,phone,street,account_number,license_number",
		"%d,Vandersloot,1961-04-30,"+strings.Repeat("a", 60)+"@"+strings.Repeat("b", 50)+".org,212-736-5000,12 Elm Street,A12345678901234,B12345678901234", many)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	_, together := detecttest.Database(phi.Table(), "/a.db", names)
	runtime.ReadMemStats(&after)
	if len(together.Skipped) != 1 {
		t.Errorf("%d skipped, want one that says that there was no room", len(together.Skipped))
	}
	if grown := int64(after.HeapInuse) - int64(before.HeapInuse); grown > 64<<20 {
		t.Errorf("%d MiB more in use", grown>>20)
	}
}

// TestTable_crowded: of more people than are kept it is said.
func TestTable_crowded(t *testing.T) {
	const many = 70_000
	names := filled("people", "person_id,last_name,birth_date", "%d,Vandersloot,1961-04-30", many)
	_, together := detecttest.Database(phi.Table(), "/a.db", names, filled("encounters", "encounter_id,person_id,icd10", "9%d,%d,E11.9", many))
	f := together.Of("phi-table")
	if f == nil || f.Count != 1<<16 || len(together.Skipped) != 1 {
		t.Errorf("found %t, %d skipped, want what is kept and one that says it", f != nil, len(together.Skipped))
	}
}

package expand

import (
	"database/sql"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	_ "modernc.org/sqlite"
)

// database makes a database from statements and gives its bytes and what
// SQLite itself reads from the queries.
func database(t testing.TB, queries []string, statements ...string) ([]byte, [][]string) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "a.db")
	db, err := sql.Open("sqlite", name)
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	for _, s := range statements {
		if _, err := db.Exec(s); err != nil {
			t.Fatalf("%.60s: %v", s, err)
		}
	}
	var want [][]string
	for _, q := range queries {
		want = append(want, queried(t, db, q))
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return data, want
}

func queried(t testing.TB, db *sql.DB, query string) []string {
	t.Helper()
	rows, err := db.Query(query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	columns, _ := rows.Columns()
	var out []string
	for rows.Next() {
		cells := make([]sql.NullString, len(columns))
		to := make([]any, len(columns))
		for i := range cells {
			to[i] = &cells[i]
		}
		if err := rows.Scan(to...); err != nil {
			t.Fatal(err)
		}
		text := make([]string, len(cells))
		for i, c := range cells {
			text[i] = c.String
		}
		out = append(out, strings.Join(text, "|"))
	}
	return out
}

const fill = `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < %d) INSERT INTO %s SELECT %s FROM n`

func TestSQLiteReadsWhatSQLiteReads(t *testing.T) {
	for _, tc := range []struct {
		name    string
		tables  []string
		columns string
		make    []string
	}{
		{"rowid_alias", []string{"p"}, "id|name|dob", []string{`CREATE TABLE p(id INTEGER PRIMARY KEY, name TEXT, dob)`,
			fmt.Sprintf(fill, 3000, "p", "i, 'Family'||i, date('1950-01-01','+'||i||' days')")}},
		{"numbers", []string{"p"}, "a|b|c", []string{`CREATE TABLE p(a, b REAL, c BLOB)`,
			`INSERT INTO p VALUES (0,1,NULL),(1,-1.5,x'41'),(-1,0.125,''),(127,3,'x'),(-129,4,5),(65536,5,6),(-8388609,6,7),(2147483648,7,8),
			(-140737488355329,8,9),(9223372036854775807,9,10)`}},
		{"quoted_names", []string{`"a ""b"" c"`}, "x y|select|it's|k]", []string{
			"CREATE TABLE \"a \"\"b\"\" c\"([x y] TEXT, \"select\" INT, 'it''s' NUM, `k]` /* , z */ TEXT -- , y\n , CHECK (1 in (1,2)))",
			`INSERT INTO "a ""b"" c" VALUES ('a',1,2,'d')`}},
		{"without_rowid", []string{"p"}, "b|a|c", []string{`CREATE TABLE p(a TEXT, b INT, c TEXT, PRIMARY KEY (b DESC, a)) WITHOUT ROWID`,
			fmt.Sprintf(fill, 2000, "p", "'n'||i, i, 'text of '||i")}},
		{"overflow", []string{"p"}, "id|big|after", []string{`PRAGMA page_size=512`, `CREATE TABLE p(id INTEGER PRIMARY KEY, big TEXT, after TEXT)`,
			fmt.Sprintf(fill, 40, "p", "i, printf('%.*c', i*317, 'x'), 'after'||i")}},
		{"utf16", []string{"p"}, "a|ü", []string{`PRAGMA encoding='UTF-16be'`, `CREATE TABLE p(a,"ü")`, `INSERT INTO p VALUES ('Müller','😀 and more')`}},
		{"generated", []string{"p"}, "a|c|d", []string{`CREATE TABLE p(a INT, b INT GENERATED ALWAYS AS (a*2) VIRTUAL, c INT AS (a*3) STORED, d TEXT DEFAULT (1))`,
			`INSERT INTO p(a,d) VALUES (7,'x')`}},
		{"added_column", []string{"p"}, "a|b", []string{`CREATE TABLE p(a INT)`, `INSERT INTO p VALUES (1)`, `ALTER TABLE p ADD COLUMN b TEXT`,
			`INSERT INTO p VALUES (2,'x')`}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			cols := `"` + strings.ReplaceAll(strings.ReplaceAll(tc.columns, `"`, `""`), "|", `","`) + `"`
			data, want := database(t, []string{"SELECT " + cols + " FROM " + tc.tables[0]}, tc.make...)
			f := look(t, "/a.db", data, 0)
			name := "/a.db!" + strings.Trim(strings.ReplaceAll(tc.tables[0], `""`, `"`), `"`)
			if tc.name == "quoted_names" {
				name = `/a.db!a "b" c`
			}
			if diff := cmp.Diff(tc.columns, f.heads[name]); diff != "" {
				t.Errorf("columns (-want +got):\n%s", diff)
			}
			got := f.tables[name]
			if tc.name == "added_column" {
				got[0] += "|" // a row that is older than the column is shorter
			}
			if diff := cmp.Diff(want[0], got); diff != "" {
				t.Errorf("rows differ: want %d, got %d:\n%.600s", len(want[0]), len(got), diff)
			}
			if len(f.skips) != 0 {
				t.Errorf("skips: %q", f.skips)
			}
		})
	}
}

func TestSQLiteTablesAloneAreVisited(t *testing.T) {
	data, _ := database(t, nil, `CREATE TABLE p(a)`, `INSERT INTO p VALUES ('kept')`, `CREATE VIEW v AS SELECT * FROM p`, `CREATE INDEX i ON p(a)`,
		`CREATE VIRTUAL TABLE docs USING fts5(body)`, `INSERT INTO docs VALUES ('in the index')`)
	f := look(t, "/a.db", data, 0)
	if _, ok := f.heads["/a.db!v"]; ok {
		t.Error("a view was visited")
	}
	if got := strings.Join(f.tables["/a.db!docs_content"], ";"); !strings.Contains(got, "in the index") {
		t.Errorf("content of the full-text index: %d bytes", len(got))
	}
	if len(f.skips) != 0 {
		t.Errorf("skips: %q", f.skips)
	}
}

// TestTablesOfOneFile: whoever takes tables is told which belong together.
func TestTablesOfOneFile(t *testing.T) {
	sqlite, _ := database(t, nil, `CREATE TABLE p(a)`, `INSERT INTO p VALUES (1)`, `CREATE TABLE q(a)`)
	log := walOf(t, nil, []string{createPeople, fillPeople(3)})
	for name, c := range map[string]struct {
		content []byte
		want    []string
	}{
		"/a.db":     {sqlite, []string{"/a.db", "end, tables: 2"}},
		"/a.db-wal": {log, []string{"/a.db-wal", "end, tables: 1"}},
		"/a.xlsx":   {workbookFile(t), []string{"/a.xlsx", "end, tables: 2"}},
		"/a.dump":   {pgSample(t, 14, 1), []string{"/a.dump", "end, tables: 1"}},
	} {
		if diff := cmp.Diff(c.want, look(t, name, c.content, 0).databases); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestSQLiteStopsWhenNoMoreIsWanted(t *testing.T) {
	data, _ := database(t, nil, `CREATE TABLE p(a)`, fmt.Sprintf(fill, 500, "p", "i"), `CREATE TABLE q(a)`, fmt.Sprintf(fill, 500, "q", "i"))
	if f := look(t, "/a.db", data, 10); f.rows != 20 || len(f.skips) != 0 {
		t.Errorf("got %d rows and skips %q, want 20", f.rows, f.skips)
	}
}

func TestSQLiteCorpus(t *testing.T) {
	data, err := os.ReadFile("../../../../shared/corpus/derived/clinic.db")
	if err != nil {
		t.Skip("no corpus beside the checkout")
	}
	f := look(t, "/clinic.db", data, 0)
	if f.rows != 27 || len(f.skips) != 0 {
		t.Errorf("got %d rows, skips %q", f.rows, f.skips)
	}
}

func TestSQLiteHostile(t *testing.T) {
	data, _ := database(t, nil, `PRAGMA page_size=512`, `CREATE TABLE p(a INTEGER PRIMARY KEY, b)`, fmt.Sprintf(fill, 4000, "p", "i, 'text of '||i"))
	root := 2
	page := data[(root-1)*512 : root*512]
	if page[0] != tableInterior {
		t.Fatalf("page %d has type %d", root, page[0])
	}
	t.Run("all_children_are_the_root", func(t *testing.T) {
		spoilt := append([]byte(nil), data...)
		page := spoilt[(root-1)*512 : root*512]
		for i := range int(binary.BigEndian.Uint16(page[3:])) {
			at := binary.BigEndian.Uint16(page[12+2*i:])
			binary.BigEndian.PutUint32(page[at:], uint32(root))
		}
		if f := look(t, "/a.db", spoilt, 0); len(f.skips) == 0 {
			t.Error("a cycle was not told")
		}
	})
	t.Run("all_pages_lead_to_all", func(t *testing.T) {
		spoilt := append([]byte(nil), data...)
		for n := root - 1; n < len(spoilt)/512; n++ {
			page := spoilt[n*512 : (n+1)*512]
			page[0] = tableInterior
			binary.BigEndian.PutUint16(page[3:], 100)
			for i := range 100 {
				binary.BigEndian.PutUint16(page[12+2*i:], 300)
			}
			binary.BigEndian.PutUint32(page[300:], uint32(n%(len(spoilt)/512))+2)
		}
		if f := look(t, "/a.db", spoilt, 0); len(f.skips) == 0 {
			t.Error("damage was not told")
		}
	})
	t.Run("one_cell_many_times", func(t *testing.T) {
		spoilt := append([]byte(nil), data...)
		for n := root; n < len(spoilt)/512; n++ {
			page := spoilt[n*512 : (n+1)*512]
			if page[0] != tableLeaf {
				continue
			}
			for i := range int(binary.BigEndian.Uint16(page[3:])) {
				copy(page[8+2*i:], page[8:10])
			}
		}
		look(t, "/a.db", spoilt, 0)
	})
	t.Run("a_damaged_page_costs_its_rows_alone", func(t *testing.T) {
		spoilt := append([]byte(nil), data...)
		clear(spoilt[10*512 : 11*512])
		f := look(t, "/a.db", spoilt, 0)
		if f.rows < 3900 || f.rows == 4000 || len(f.skips) != 1 {
			t.Errorf("got %d rows, skips %q", f.rows, f.skips)
		}
	})
}

func TestSQLiteCutAndSpoilt(t *testing.T) {
	data, _ := database(t, nil, `PRAGMA page_size=1024`, `CREATE TABLE p(id INTEGER PRIMARY KEY, big TEXT)`, `CREATE TABLE w(a PRIMARY KEY, b) WITHOUT ROWID`,
		fmt.Sprintf(fill, 60, "p", "i, printf('%.*c', i*31, 'x')"), fmt.Sprintf(fill, 60, "w", "i, 'w'||i"))
	cutAndSpoilt(t, "/a.db", data)
}

func TestParseCreateHostile(t *testing.T) {
	for _, sql := range []string{"", "(", ")", "CREATE TABLE t", "CREATE TABLE t(", "CREATE TABLE t(a", "CREATE TABLE t(a,,b)", "CREATE TABLE t(PRIMARY KEY (",
		"CREATE TABLE t(a AS", "CREATE TABLE t(\"", "CREATE TABLE t([", "CREATE TABLE t(a) WITHOUT", strings.Repeat("(", 100_000), "/*", "--", "CREATE TABLE t(a b c d PRIMARY)"} {
		parseCreate(sql)
	}
}

func FuzzSQLite(f *testing.F) {
	data, _ := database(f, nil, `PRAGMA page_size=512`, `CREATE TABLE p(id INTEGER PRIMARY KEY, big TEXT)`, fmt.Sprintf(fill, 30, "p", "i, printf('%.*c', i*31, 'x')"))
	f.Add(data)
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 0 {
			look(t, "/a.db", data, 0)
		}
	})
}

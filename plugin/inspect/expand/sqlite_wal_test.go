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
)

// walOf is the write-ahead log of a database that was not closed. What stands
// before is in the database already.
func walOf(t testing.TB, before, statements []string) []byte {
	t.Helper()
	name := filepath.Join(t.TempDir(), "a.db")
	db, err := sql.Open("sqlite", name)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	run := func(all ...string) {
		for _, s := range all {
			if _, err := db.Exec(s); err != nil {
				t.Fatalf("%.60s: %v", s, err)
			}
		}
	}
	run("PRAGMA page_size=512", "PRAGMA journal_mode=WAL", "PRAGMA wal_autocheckpoint=0")
	run(before...)
	run("PRAGMA wal_checkpoint(TRUNCATE)")
	run(statements...)
	data, err := os.ReadFile(name + "-wal")
	if err != nil {
		t.Fatal(err)
	}
	return data
}

const createPeople = `CREATE TABLE p(id INTEGER PRIMARY KEY, name TEXT, dob)`

func fillPeople(n int) string { return fmt.Sprintf(fill, n, "p", "i, 'Family'||i, '1950-01-01'") }

// TestWAL: what only the log has is read, with names where the log has the schema.
func TestWAL(t *testing.T) {
	whole := walOf(t, nil, []string{createPeople, fillPeople(300), `UPDATE p SET name = 'Changed' WHERE id = 7`})
	f := look(t, "/a.db-wal", whole, 0)
	rows := f.tables["/a.db-wal!p"]
	if len(rows) != 300 || rows[6] != "7|Changed|1950-01-01" || f.heads["/a.db-wal!p"] != "id|name|dob" || len(f.skips) > 0 {
		t.Errorf("%d rows of columns %q, skips %q", len(rows), f.heads["/a.db-wal!p"], f.skips)
	}

	changes := walOf(t, []string{createPeople, fillPeople(300)}, []string{`UPDATE p SET name = 'Changed' WHERE id IN (7, 200)`})
	f = look(t, "/a.db-wal", changes, 0)
	text := strings.Join(f.tables["/a.db-wal!rows of 3 columns"], "\n")
	if strings.Count(text, "|Changed|1950-01-01") != 2 || len(f.skips) != 1 {
		t.Errorf("%d changed rows of 2, skips %q", strings.Count(text, "Changed"), f.skips)
	}
}

// TestWALUncommitted: a transaction without an end, and what an older log left
// behind the newer one, do not count.
func TestWALUncommitted(t *testing.T) {
	data := walOf(t, nil, []string{createPeople, `INSERT INTO p VALUES (1, 'One', '1950-01-01')`, `INSERT INTO p VALUES (2, 'Two', '1950-01-01')`})
	last := len(data) - walFrame - 512
	open := append([]byte(nil), data...)
	binary.BigEndian.PutUint32(open[last+4:], 0)
	older := append([]byte(nil), data...)
	older[last+8]++
	for name, spoilt := range map[string][]byte{"open": open, "older": older, "cut": data[:len(data)-1]} {
		f := look(t, "/a.db-wal", spoilt, 0)
		if diff := cmp.Diff([]string{"1|One|1950-01-01"}, f.tables["/a.db-wal!p"]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestWALCutAndSpoilt(t *testing.T) {
	cutAndSpoilt(t, "/a.db-wal", walOf(t, nil, []string{createPeople, fillPeople(20)}))
}

func FuzzWAL(f *testing.F) {
	f.Add(walOf(f, nil, []string{createPeople, fillPeople(20)}))
	f.Add(walOf(f, []string{createPeople, fillPeople(20)}, []string{`UPDATE p SET name = 'Changed'`}))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 4 {
			look(t, "/a.db-wal", append([]byte(walMagicLE), data[4:]...), 0)
		}
	})
}

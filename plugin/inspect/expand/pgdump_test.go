package expand

import (
	"bytes"
	"compress/zlib"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// pgWriter writes a dump as pg_dump does.
type pgWriter struct {
	bytes.Buffer
	minor int
}

func (w *pgWriter) int(n int) {
	sign := byte(0)
	if n < 0 {
		sign, n = 1, -n
	}
	w.Write([]byte{sign, byte(n), byte(n >> 8), byte(n >> 16), byte(n >> 24)})
}

func (w *pgWriter) str(all ...string) {
	for _, s := range all {
		w.int(len(s))
		w.WriteString(s)
	}
}

func (w *pgWriter) entry(id int, desc, tag, copyStatement string) {
	w.int(id)
	w.int(1)
	w.str("1259", "16384", tag, desc)
	w.int(3)
	w.str("", "")
	w.str(copyStatement, "public", "")
	if w.minor >= 14 {
		w.str("heap")
	}
	if w.minor >= 16 {
		w.int('r')
	}
	w.str("owner", "false", "7")
	w.int(-1)
	w.Write(make([]byte, 9))
}

// pgSample is a dump with two tables, of which the second's data is INSERT statements.
func pgSample(t testing.TB, minor int, packing byte) []byte {
	w := &pgWriter{minor: minor}
	w.WriteString(pgMagic)
	w.Write([]byte{1, byte(minor), 0, 4, 8, 1})
	if minor >= 15 {
		w.WriteByte(packing)
	} else if packing == 1 {
		w.int(-1)
	} else {
		w.int(0)
	}
	for range 7 {
		w.int(5)
	}
	w.str("clinic", "15.1", "15.1")
	w.int(3)
	w.entry(1, "TABLE", "patients", "")
	w.entry(2, "TABLE DATA", "patients", "COPY public.patients (id, \"last, name\", dob) FROM stdin;\n")
	w.entry(3, "TABLE DATA", "visits", "")
	for id, data := range map[int]string{2: "1\tFamily1\t1950-01-01\n2\tTab\\tBack\\\\\t\\N\n\\.\n\n\n", 3: "INSERT INTO visits VALUES (1, 'E11.9');\n"} {
		w.WriteByte(1)
		w.int(id)
		packed := squeezed(t, data, packing)
		for len(packed) > 0 {
			n := min(len(packed), 20)
			w.int(n)
			w.WriteString(packed[:n])
			packed = packed[n:]
		}
		w.int(0)
	}
	return w.Bytes()
}

func squeezed(t testing.TB, data string, packing byte) string {
	var b bytes.Buffer
	var w io.WriteCloser
	switch packing {
	case 0:
		return data
	case 1:
		w = zlib.NewWriter(&b)
	case 2:
		w = lz4.NewWriter(&b)
	case 3:
		z, err := zstd.NewWriter(&b)
		if err != nil {
			t.Fatal(err)
		}
		w = z
	}
	if _, err := w.Write([]byte(data)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestPgDump(t *testing.T) {
	for _, tc := range []struct {
		name    string
		minor   int
		packing byte
	}{{"1.12_zlib", 12, 1}, {"1.14_plain", 14, 0}, {"1.14_zlib", 14, 1}, {"1.15_lz4", 15, 2}, {"1.16_zstd", 16, 3}, {"1.16_plain", 16, 0}} {
		t.Run(tc.name, func(t *testing.T) {
			f := look(t, "/a.dump", pgSample(t, tc.minor, tc.packing), 0)
			want := map[string][]string{"/a.dump!public.patients": {"1|Family1|1950-01-01", "2|Tab\tBack\\|"}}
			if diff := cmp.Diff(want, f.tables); diff != "" {
				t.Errorf("tables (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff("id|last, name|dob", f.heads["/a.dump!public.patients"]); diff != "" {
				t.Errorf("columns (-want +got):\n%s", diff)
			}
			if !strings.HasPrefix(f.files["/a.dump!public.visits"], "INSERT INTO") || len(f.skips) != 0 {
				t.Errorf("files %d, skips %q", len(f.files), f.skips)
			}
		})
	}
}

func TestPgDumpNotKnown(t *testing.T) {
	for _, tc := range []struct {
		name string
		at   int
		to   byte
	}{{"version", 6, 99}, {"packing", 11, 9}, {"int_size", 8, 200}} {
		t.Run(tc.name, func(t *testing.T) {
			data := pgSample(t, 16, 3)
			data[tc.at] = tc.to
			if f := look(t, "/a.dump", data, 0); len(f.skips) == 0 || f.rows != 0 {
				t.Errorf("%d rows, skips %q", f.rows, f.skips)
			}
		})
	}
}

// What PostgreSQL's own pg_dump writes, where a server can be started.
func TestPgDumpOfAServer(t *testing.T) {
	for _, tool := range []string{"initdb", "pg_ctl", "pg_dump", "psql", "runuser"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip("no " + tool)
		}
	}
	dir, err := os.MkdirTemp("", "pg")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if out, err := exec.Command("chown", "postgres", dir).CombinedOutput(); err != nil {
		t.Skipf("no user postgres: %s", out)
	}
	run := func(name string, args ...string) error {
		cmd := exec.Command("runuser", append([]string{"-u", "postgres", "--", name}, args...)...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Logf("%s: %s", name, out)
		}
		return err
	}
	db := filepath.Join(dir, "db")
	if run("initdb", "-D", db, "-E", "UTF8", "--no-sync") != nil || run("pg_ctl", "-D", db, "-w", "-l", filepath.Join(dir, "log"), "-o", "-F -c listen_addresses='' -k "+dir, "start") != nil {
		t.Skip("no server can be started")
	}
	defer run("pg_ctl", "-D", db, "-m", "immediate", "stop")
	sql := `CREATE TABLE "Pat ients"(id serial PRIMARY KEY, "last name" text, dob date, note text, twice int GENERATED ALWAYS AS (1+1) STORED);
		INSERT INTO "Pat ients"("last name", dob, note) SELECT 'Family'||i, date '1950-01-01'+i, E'tab\t line\n back\\ '||i FROM generate_series(1,5000) i;
		SELECT lo_from_bytea(0, 'a large object');`
	if err := run("psql", "-h", dir, "-c", sql, "postgres"); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"-Z", "0"}, {"-Z", "6"}, {"--inserts"}} {
		out := filepath.Join(dir, "out.dump")
		if err := run("pg_dump", append(args, "-Fc", "-h", dir, "-f", out, "postgres")...); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		f := look(t, "/a.dump", data, 0)
		const name = "/a.dump!public.Pat ients"
		rows := f.tables[name]
		if args[0] == "--inserts" {
			rows = strings.Split(strings.TrimSpace(f.files[name]), "\n")
		} else if f.heads[name] != "id|last name|dob|note" || rows[4] != "5|Family5|1950-01-06|tab\t line\n back\\ 5" {
			t.Errorf("%v: columns or rows differ", args)
		}
		if len(rows) < 5000 || len(f.skips) != 0 || f.files["/a.dump!blobs"] != "a large object" {
			t.Errorf("%v: %d rows, skips %q, blobs %d", args, len(rows), f.skips, len(f.files["/a.dump!blobs"]))
		}
	}
}

func TestPgDumpCutAndSpoilt(t *testing.T) { cutAndSpoilt(t, "/a.dump", pgSample(t, 14, 1)) }

func FuzzPgDump(f *testing.F) {
	f.Add(pgSample(f, 12, 1))
	f.Add(pgSample(f, 16, 3))
	f.Fuzz(func(t *testing.T, data []byte) { look(t, "/a.dump", append([]byte(pgMagic), data...), 0) })
}

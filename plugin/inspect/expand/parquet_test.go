package expand

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"
)

type parquetName struct {
	Family string   `parquet:"family,dict"`
	Given  []string `parquet:"given,list"`
}

type parquetRow struct {
	ID    int64        `parquet:"id,delta"`
	Small int32        `parquet:"small"`
	MRN   string       `parquet:"mrn,delta"`
	SSN   *string      `parquet:"ssn,optional"`
	Born  time.Time    `parquet:"born,timestamp(millisecond)"`
	Day   int32        `parquet:"day,date"`
	Alive bool         `parquet:"alive"`
	Ratio float64      `parquet:"ratio,split"`
	Codes []string     `parquet:"codes,dict"`
	Name  *parquetName `parquet:"name,optional"`
}

func parquetRows(n int) (rows []parquetRow, text []string) {
	for i := range n {
		r := parquetRow{ID: int64(i) * 1000, Small: int32(-i), MRN: fmt.Sprintf("MRN%07d", i), Born: time.Date(1950, 1, 1+i%20_000, 0, 0, 0, 0, time.UTC),
			Day: int32(-7000 + i%20_000), Alive: i%3 == 0, Ratio: float64(i) / 4}
		ssn, name := "", "|"
		if i%2 == 0 {
			ssn = fmt.Sprintf("219-09-%04d", i%10_000)
			r.SSN = &ssn
		}
		for j := range i % 4 {
			r.Codes = append(r.Codes, fmt.Sprintf("E%d.%d", 10+i%50, j))
		}
		if i%5 != 0 {
			r.Name = &parquetName{Family: fmt.Sprintf("Family%d", i%100), Given: []string{"A", "B"}[:i%3]}
			name = r.Name.Family + "|" + strings.Join(r.Name.Given, "; ")
		}
		rows = append(rows, r)
		text = append(text, fmt.Sprintf("%d|%d|%s|%s|%s|%s|%t|%g|%s|%s", r.ID, r.Small, r.MRN, ssn, r.Born.Format(time.DateOnly),
			time.Unix(int64(r.Day)*86_400, 0).UTC().Format(time.DateOnly), r.Alive, r.Ratio, strings.Join(r.Codes, "; "), name))
	}
	return rows, text
}

func parquetSample(t testing.TB, rows []parquetRow, options ...parquet.WriterOption) []byte {
	t.Helper()
	var b bytes.Buffer
	w := parquet.NewGenericWriter[parquetRow](&b, options...)
	for i := 0; i < len(rows); i += 1000 {
		if _, err := w.Write(rows[i:min(i+1000, len(rows))]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestParquet(t *testing.T) {
	rows, want := parquetRows(5000)
	for _, tc := range []struct {
		name    string
		options []parquet.WriterOption
	}{
		{"plain_v1", []parquet.WriterOption{parquet.DataPageVersion(1)}},
		{"plain_v2", []parquet.WriterOption{parquet.DataPageVersion(2)}},
		{"snappy", []parquet.WriterOption{parquet.Compression(&parquet.Snappy), parquet.DataPageVersion(1)}},
		{"gzip", []parquet.WriterOption{parquet.Compression(&parquet.Gzip)}},
		{"zstd", []parquet.WriterOption{parquet.Compression(&parquet.Zstd), parquet.MaxRowsPerRowGroup(700)}},
		{"lz4", []parquet.WriterOption{parquet.Compression(&parquet.Lz4Raw), parquet.PageBufferSize(512)}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := look(t, "/a.parquet", parquetSample(t, rows, tc.options...), 0)
			if got := f.heads["/a.parquet!rows"]; got != "id|small|mrn|ssn|born|day|alive|ratio|codes|name.family|name.given.list.element" {
				t.Errorf("columns: %s", got)
			}
			got := f.tables["/a.parquet!rows"]
			if len(got) != len(want) || len(f.skips) != 0 {
				t.Fatalf("got %d rows, want %d; skips %q", len(got), len(want), f.skips)
			}
			for i := range want {
				if got[i] != want[i] {
					t.Fatalf("row %d: %s", i, cmp.Diff(want[i], got[i]))
				}
			}
		})
	}
}

func TestParquetNotLookedInto(t *testing.T) {
	rows, _ := parquetRows(10)
	data := parquetSample(t, rows)
	sealed := append(append([]byte("PARE"), data[4:len(data)-4]...), "PARE"...)
	if f := look(t, "/a.parquet", sealed, 0); len(f.skips) != 1 || f.skips[0] != "/a.parquet: encrypted document" {
		t.Errorf("skips: %q", f.skips)
	}
	brotli := parquetSample(t, rows, parquet.Compression(&parquet.Brotli))
	if f := look(t, "/a.parquet", brotli, 0); len(f.skips) != 1 || f.skips[0] != "/a.parquet: a compression that is not known" {
		t.Errorf("skips: %q", f.skips)
	}
}

func TestParquetStopsWhenNoMoreIsWanted(t *testing.T) {
	rows, _ := parquetRows(5000)
	if f := look(t, "/a.parquet", parquetSample(t, rows, parquet.MaxRowsPerRowGroup(100)), 150); f.rows != 150 || len(f.skips) != 0 {
		t.Errorf("got %d rows, skips %q", f.rows, f.skips)
	}
}

// A page may claim any number of values of which runs say that they are null.
func TestParquetRunsForEver(t *testing.T) {
	type row struct {
		A *string `parquet:"a,optional"`
	}
	var b bytes.Buffer
	w := parquet.NewGenericWriter[row](&b, parquet.DataPageVersion(1))
	if _, err := w.Write(make([]row, 1<<22)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	f := look(t, "/a.parquet", b.Bytes(), 0)
	if f.rows >= 1<<22 || len(f.skips) != 1 {
		t.Errorf("%d bytes gave %d rows, skips %q", b.Len(), f.rows, f.skips)
	}
}

func TestThriftHostile(t *testing.T) {
	for name, data := range map[string][]byte{
		"deep_structs": bytes.Repeat([]byte{0x1C}, 1<<20),
		"deep_lists":   append([]byte{0x19}, bytes.Repeat([]byte{0x19}, 1<<20)...),
		"long_list":    {0x19, 0xF5, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F},
		"long_string":  {0x18, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F},
		"no_end":       {0x15},
	} {
		th := thrift{data: data}
		if _, err := th.parse(); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestParquetCutAndSpoilt(t *testing.T) {
	rows, _ := parquetRows(100)
	cutAndSpoilt(t, "/a.parquet", parquetSample(t, rows, parquet.Compression(&parquet.Snappy)))
}

func FuzzParquet(f *testing.F) {
	rows, _ := parquetRows(20)
	f.Add(parquetSample(f, rows, parquet.Compression(&parquet.Snappy)))
	f.Add(parquetSample(f, rows, parquet.DataPageVersion(1)))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) < 64<<10 {
			look(t, "/a.parquet", append([]byte(parquetMagic), data...), 0)
		}
	})
}

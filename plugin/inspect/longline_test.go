package inspect

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/phigate/phigate/plugin/rootfs"
)

// long is a tree of one file: begin, then the filler without a line end, end.
type long struct {
	begin, filler, end []byte // filler has fillerBytes
	size               int64
	at                 int64
}

const fillerBytes = 1 << 20

func (l *long) Walk(_ context.Context, visit func(rootfs.Entry) error, _ func(string, error)) error {
	return visit(rootfs.Entry{Path: "/a.csv", Kind: rootfs.Regular, Size: l.size, Open: func() (rootfs.File, error) { return l, nil }})
}

func (l *long) ReadAt(p []byte, off int64) (int, error) {
	p = p[:min(int64(len(p)), max(0, l.size-off))]
	for n := 0; n < len(p); {
		at := off + int64(n)
		switch from, last := int64(len(l.begin)), l.size-int64(len(l.end)); {
		case at < from:
			n += copy(p[n:], l.begin[at:])
		case at >= last:
			n += copy(p[n:], l.end[at-last:])
		default:
			n += copy(p[n:min(int64(len(p)), int64(n)+last-at)], l.filler[(at-from)%fillerBytes:])
		}
	}
	if len(p) == 0 {
		return 0, io.EOF
	}
	return len(p), nil
}

func (l *long) Read(p []byte) (int, error) {
	n, err := l.ReadAt(p, l.at)
	l.at += int64(n)
	return n, err
}

func (l *long) Close() error                                     { return nil }
func (l *long) Forward() bool                                    { return false }
func (l *long) NextData(off int64) (start, end int64, err error) { return off, l.size, nil }

// TestLongLine: a table with a line of 2 GB; the row behind it is found, too.
func TestLongLine(t *testing.T) {
	const size = 2 << 30
	if testing.Short() {
		t.Skip("reads 2 GiB")
	}
	filler := bytes.Repeat([]byte("40000018,Quimby,"), fillerBytes/16)
	tree := &long{begin: []byte(patientRows), filler: filler, end: []byte("\n40000019,Quimby,Bea,1981-02-01,J45.909\n"), size: size}
	facts, heap, took := hostileScan(t, tree, 1)
	hostileFile{reason: "longer than 1 MiB", rule: "phi-table"}.judge(t, facts)
	for _, f := range facts.Findings {
		if f.Rule == "phi-table" && f.Individuals.Point != 3 {
			t.Errorf("%d people, want those before, at the beginning of and behind the line", f.Individuals.Point)
		}
	}
	if heap > hostileHeap || took > hostileTime {
		t.Errorf("the heap grew by %d MiB, it took %v", heap>>20, took)
	}
	t.Logf("%v, %.1f MiB", took, float64(heap)/(1<<20))
}

// TestSparseLine: where the line is a hole, nothing is missing and nothing is told.
func TestSparseLine(t *testing.T) {
	const size = 2 << 30
	d := t.TempDir()
	f, err := os.Create(filepath.Join(d, "a.csv"))
	must(t, err)
	_, err = io.WriteString(f, strings.TrimSuffix(patientRows, "\n"))
	must(t, err)
	_, err = f.WriteAt([]byte("\n40000019,Quimby,Bea,1981-02-01,J45.909\n"), size)
	must(t, err)
	must(t, f.Close())
	facts, heap, took := hostileScan(t, rootfs.Dir(d), 1)
	if len(facts.Findings) != 1 || facts.Findings[0].Individuals.Point != 2 || len(facts.Skipped) > 0 || heap > hostileHeap || took > hostileTime {
		t.Errorf("%d findings, reasons %q, %d MiB, %v", len(facts.Findings), reasons(facts), heap>>20, took)
	}
}

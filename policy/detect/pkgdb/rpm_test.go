package pkgdb

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/phigate/phigate/policy/detect"
	"github.com/phigate/phigate/policy/detect/detecttest"
)

// header makes a header as rpm's database has it.
func header(epoch uint32, tags map[uint32]string) []byte {
	var index, data bytes.Buffer
	entry := func(tag, kind uint32) {
		for _, n := range []uint32{tag, kind, uint32(data.Len()), 1} {
			_ = binary.Write(&index, binary.BigEndian, n)
		}
	}
	entry(tagEpoch, typeInt32)
	_ = binary.Write(&data, binary.BigEndian, epoch)
	for tag, text := range tags {
		entry(tag, typeString)
		data.WriteString(text + "\x00")
	}
	out := binary.BigEndian.AppendUint32(nil, uint32(len(tags)+1))
	out = binary.BigEndian.AppendUint32(out, uint32(data.Len()))
	return append(append(out, index.Bytes()...), data.Bytes()...)
}

func TestRPM(t *testing.T) {
	rows := [][]string{
		{"1", string(header(0, map[uint32]string{tagName: "bash", tagVersion: "5.1.8"}))},
		{"2", string(header(1, map[uint32]string{tagName: "openssl-libs", tagVersion: "1.0.2k", tagRelease: "25.el7_9", tagSourceRPM: "openssl-1.0.2k-25.el7_9.src.rpm"}))},
	}
	for _, path := range []string{"/var/lib/rpm/rpmdb.sqlite!Packages", "/var/lib/rpm/Packages!Packages", "/usr/lib/sysimage/rpm/Packages.db!Packages"} {
		got := detecttest.Rows(Insecure(), path, []string{"hnum", "blob"}, rows)
		f := got.Of("insecure-software")
		if f == nil || !strings.HasPrefix(f.Message, "OpenSSL before 1.1.1") || f.Where.Offset != 1 || f.Count != 1 {
			t.Errorf("%s: found %+v, want the second row", path, f)
		}
		want := []detect.Package{
			{Kind: detect.RPMPackage, Name: "bash", Version: "5.1.8"},
			{Kind: detect.RPMPackage, Name: "openssl-libs", Version: "1:1.0.2k-25.el7_9"},
			{Kind: detect.RPMSource, Name: "openssl", Version: "1:1.0.2k-25.el7_9"},
		}
		if diff := cmp.Diff(want, got.Packages); diff != "" {
			t.Errorf("%s: packages (-want +got):\n%s", path, diff)
		}
	}
	if got := detecttest.Rows(Insecure(), "/srv/a.sqlite!Packages", []string{"hnum", "blob"}, rows); len(got.Findings)+len(got.Packages) > 0 {
		t.Error("a database of another name is read as rpm's")
	}
}

func FuzzRPMHeader(f *testing.F) {
	f.Add(header(1, map[uint32]string{tagName: "a", tagVersion: "1", tagSourceRPM: "a"}))
	f.Add([]byte{0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 3, 232, 0, 0, 0, 6, 255, 255, 255, 255, 0, 0, 0, 1})
	f.Fuzz(func(t *testing.T, data []byte) {
		p, ok := readHeader(data)
		if ok != (p.name != "" && p.version != "") || len(p.name) > maxLine || len(p.full()) > 2*maxLine+32 || len(p.sourceName()) > maxLine {
			t.Error("a name or a version out of bounds")
		}
	})
}

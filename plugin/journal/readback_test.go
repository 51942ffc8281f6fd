package journal

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAt(t *testing.T) {
	for socket, want := range map[string][]string{
		"/run/systemd/journal/socket":         {"journalctl"},
		"/run/systemd/journal.phigate/socket": {"journalctl", "--namespace=phigate"},
		"/tmp/x/socket":                       nil,
	} {
		if diff := cmp.Diff(want, At(socket).Read); diff != "" {
			t.Errorf("%s: %s", socket, diff)
		}
	}
}

func TestParseStored(t *testing.T) {
	lines := `{"__CURSOR":"s=1","PHIGATE_SEQ":"7","PHIGATE_LEAF":"0f"}
{"PHIGATE_SEQ":["8","9"],"PHIGATE_LEAF":"0f"}
{"PHIGATE_SEQ":"10","PHIGATE_LEAF":[1,2]}
{"PHIGATE_SEQ":null}
{"MESSAGE":"x"}
{"PHIGATE_SEQ":"-1","PHIGATE_LEAF":"0f"}
`
	got, err := parseStored(strings.NewReader(lines))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[uint64]string{7: "0f", 10: ""}, got); diff != "" {
		t.Error(diff)
	}
	for _, bad := range []string{"journalctl: no\n", "{", "[]\n" + strings.Repeat("x", maxLine+1)} {
		if _, err := parseStored(strings.NewReader(bad)); err == nil {
			t.Errorf("%.20q is taken for entries", bad)
		}
	}
}

// FuzzParseStored: what stands in a journal, which everybody may write to, ends
// no exporter.
func FuzzParseStored(f *testing.F) {
	f.Add(`{"PHIGATE_SEQ":"7","PHIGATE_LEAF":"0f"}` + "\n")
	f.Add(`{"PHIGATE_SEQ":["7"],"PHIGATE_LEAF":null}`)
	f.Add("\x00\n{}\n[]\n")
	f.Fuzz(func(t *testing.T, text string) {
		found, err := parseStored(strings.NewReader(text))
		if err == nil && len(found) > strings.Count(text, "\n")+1 {
			t.Errorf("%d records in %d lines", len(found), strings.Count(text, "\n")+1)
		}
	})
}

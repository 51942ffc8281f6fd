package cli

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/phigate/phigate/plugin/audit"
)

// journalOf is what a faultless journal has of a log, one entry each.
func journalOf(t *testing.T, dir string) (lines []map[string]string) {
	t.Helper()
	err := audit.Entries(t.Context(), filepath.Join(dir, "decisions"), 1, func(e audit.Entry) error {
		lines = append(lines, map[string]string{
			"PHIGATE_SEQ": fmt.Sprint(e.Seq), "PHIGATE_LEAF": hex.EncodeToString(e.Leaf[:]), "PHIGATE_KIND": e.Decision.Kind, "MESSAGE": "two\nlines",
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

func asJSON(lines []map[string]string) string {
	var b bytes.Buffer
	for _, line := range lines {
		json.NewEncoder(&b).Encode(line)
	}
	return b.String()
}

func asExport(lines []map[string]string) string {
	var b bytes.Buffer
	for _, line := range lines {
		for name, value := range line {
			if strings.Contains(value, "\n") {
				b.WriteString(name + "\n")
				binary.Write(&b, binary.LittleEndian, uint64(len(value)))
				b.WriteString(value + "\n")
				continue
			}
			b.WriteString(name + "=" + value + "\n")
		}
		b.WriteString("\n")
	}
	return b.String()
}

func TestReconcile(t *testing.T) {
	dir, _ := loggedNode(t, 6)
	good := journalOf(t, dir)
	altered, forged := map[string]string{}, map[string]string{"PHIGATE_SEQ": "99", "PHIGATE_KIND": "verdict"}
	for name, value := range good[3] {
		altered[name] = value
	}
	altered["PHIGATE_KIND"] = "start"
	noLeaf := map[string]string{"PHIGATE_SEQ": "5", "PHIGATE_KIND": "verdict"}
	tests := map[string]struct {
		lines []map[string]string
		code  int
		want  string
	}{
		"all_there": {good, 0, "OK: each decision is there"},
		"missing":   {append(good[:2:2], good[4:]...), ExitTampered, "missing    2: 3-4"},
		"foreign":   {append(good[:6:6], forged), ExitTampered, "foreign    1: 99"},
		"altered":   {append(good[:6:6], altered), ExitTampered, "altered    1: 4"},
		"duplicate": {append(good[:6:6], good[1]), 0, "duplicate  1: 2"},
		"no_leaf":   {append(append(good[:4:4], noLeaf), good[5]), 0, "1 entries name no leaf"},
		"empty":     {nil, ExitTampered, "missing    6: 1-6"},
	}
	for name, tt := range tests {
		for format, text := range map[string]string{"json": asJSON(tt.lines), "export": asExport(tt.lines)} {
			t.Run(name+"_"+format, func(t *testing.T) {
				file := filepath.Join(t.TempDir(), "journal")
				if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
				var out bytes.Buffer
				cmd := newAuditReconcileCommand()
				cmd.SilenceErrors, cmd.SilenceUsage = true, true
				cmd.SetOut(&out)
				cmd.SetArgs([]string{"--state-dir", dir, "--journal", file})
				err := cmd.ExecuteContext(t.Context())
				code := 0
				var exit *ExitError
				if errors.As(err, &exit) {
					code = exit.Code
				} else if err != nil {
					t.Fatal(err)
				}
				if code != tt.code || !strings.Contains(out.String(), tt.want) {
					t.Errorf("code %d, want %d; wrote %q, want %q in it", code, tt.code, out.String(), tt.want)
				}
			})
		}
	}
}

func FuzzReadJournal(f *testing.F) {
	f.Add([]byte("{\"PHIGATE_SEQ\":\"1\"}\n"))
	f.Add([]byte("PHIGATE_SEQ=1\nMESSAGE\n\x02\x00\x00\x00\x00\x00\x00\x00ab\n\n"))
	f.Add([]byte("MESSAGE\n\xff\xff\xff\xff\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, data []byte) {
		copies, err := readJournal(bytes.NewReader(data))
		if err == nil && len(copies) > len(data) {
			t.Error("more entries than bytes")
		}
		_, _ = readCopy(io.LimitReader(bytes.NewReader(data), maxEntry))
	})
}

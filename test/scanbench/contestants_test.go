package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestFound(t *testing.T) {
	tests := map[string]struct {
		found  func(*os.File) (string, error)
		output string
		want   string
		fails  bool
	}{
		"phigate": {findings, `{"findings": [{"rule": "phi-table", "path": "/srv/clinic/backup.tar.gz!data/visits.csv"},
			{"rule": "phi-table", "path": "/srv/clinic/backup.tar.gz!more.csv"}, {"rule": "pii", "path": "/etc/x"}]}`,
			"3 findings of 2 rules, 1 planted files", false},
		"phigate_nothing": {findings, `{"verdict": "allow"}`, "0 findings of 0 rules, 0 planted files", false},
		"phigate_broken":  {findings, `{"findings": [`, "", true},
		"ripgrep":         {matches, "3\n10\n", "13 matches in 2 files", false},
		"ripgrep_nothing": {matches, "", "0 matches in 0 files", false},
		"ripgrep_names":   {matches, "/etc/passwd:3\n", "", true},
		"gitleaks":        {leaks, "3:04AM INF scanned ~17 bytes\n3:04AM WRN leaks found: 12\n", "12 leaks", false},
		"gitleaks_none":   {leaks, "3:04AM INF no leaks found\n", "0 leaks", false},
		"last_line":       {lastLine, "a\nb\n", "b", false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "output")
			if err := os.WriteFile(path, []byte(tt.output), 0o600); err != nil {
				t.Fatal(err)
			}
			f, err := os.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			got, err := tt.found(f)
			if (err != nil) != tt.fails || err == nil && got != tt.want {
				t.Errorf("got %q, %v; want %q, fails %t", got, err, tt.want, tt.fails)
			}
		})
	}
}

func TestReadAll(t *testing.T) {
	dir := t.TempDir()
	for name, size := range map[string]int{"a": 0, "b": 300 << 10, "c": 1} {
		if err := os.WriteFile(filepath.Join(dir, name), make([]byte, size), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("b", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := readAll(&b, dir); err != nil {
		t.Fatal(err)
	}
	if got, want := b.String(), "3 files, 0.3 MB\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if files, size, err := census(dir); files != 3 || size != 300<<10+1 || err != nil {
		t.Errorf("counted %d files of %d bytes, %v", files, size, err)
	}
}

// Each expression finds something in what is planted, or in what it is written for.
func TestExpressions(t *testing.T) {
	rg, err := exec.LookPath("rg")
	if err != nil {
		t.Skip("SKIPPED: ripgrep is not installed; the benchmark installs it")
	}
	planted, err := plantedFiles()
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Builder{}
	for _, f := range planted {
		text.Write(f.body)
	}
	text.WriteString("\nMRN: 00123456\nmember id: W300000000\nDOB: 1961-02-03\nMBI 1EG4-TE5-MK73 1EG4TE5MK73\n<ClinicalDocument xmlns=\"urn:hl7-org:v3\">\n" +
		strings.Repeat("\x00", 128) + "DICM\n")
	for i, expr := range expressions() {
		cmd := exec.Command(rg, "-a", "--no-unicode", "--no-config", "--quiet", "-e", expr)
		cmd.Stdin = strings.NewReader(text.String())
		if err := cmd.Run(); err != nil {
			t.Errorf("expression %d finds nothing: %v", i, err)
		}
	}
}

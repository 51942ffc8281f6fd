package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestGoals(t *testing.T) {
	of := func(name string, cpu float64) result {
		return result{name: name, rounds: 1, cpu: time.Duration(cpu * float64(time.Second)), read: layerSize, peak: 70 << 20}
	}
	all := []result{
		of(nameScan, 6), of(nameRaw, 1.6), of(nameOne, 5), of(nameTwo, 5.4), of(nameCat, 1), of(nameRipgrep, 2), of(nameSecrets, 600),
		of(nameOnce, 1), of(nameTwice, 1), of(nameSeven, 49),
	}
	all[4].peak, all[6].peak = 500<<20, 500<<20 // others' memory is not ours
	tests := map[string]struct {
		results []result
		want    string
	}{
		"all": {all, `
CPU, nothing inflated, to ripgrep's  0.80 x      1.50 x    met         0.80 x  met
CPU, archives inflated, to ripgrep's 3.00 x      2.50 x    missed      1.50 x  missed
CPU, archives inflated, to gitleaks' 1/100       1/50      met         1/150   missed
CPU of two workers to one's          1.08 x      1.10 x    met
peak memory of any scan              70.00 MiB   128 MiB   met         64.00 MiB missed
CPU for seven copies to that for one 8.17 x      8.00 x    missed
bytes read of a layer already known  0 % of it   0.10 % of it met`},
		"only_ripgrep": {[]result{of(nameRipgrep, 2), {name: nameScan}}, `
CPU, nothing inflated, to ripgrep's  - 1.50 x  phigate scan, nothing inflated: not measured
CPU, archives inflated, to ripgrep's - 2.50 x  phigate scan: not measured
CPU, archives inflated, to gitleaks' - 1/50    phigate scan: not measured
CPU of two workers to one's          - 1.10 x  phigate scan, 2 workers: not measured
peak memory of any scan              - 128 MiB not measured
CPU for seven copies to that for one - 8.00 x  phigate scan, 7 copies: not measured
bytes read of a layer already known  - 0.10 % of it not measured`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var b strings.Builder
			printGoals(&b, goals(tt.results))
			_, got, _ := strings.Cut(b.String(), "\n")
			if diff := cmp.Diff(words(tt.want), words(got)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// words leaves out how columns are set.
func words(s string) (lines []string) {
	for line := range strings.Lines(strings.TrimSpace(s)) {
		lines = append(lines, strings.Join(strings.Fields(line), " "))
	}
	return lines
}

func TestAgain(t *testing.T) {
	by := map[string]result{nameOnce: {read: layerSize + 5000}, nameTwice: {read: 2*layerSize + 6000}}
	if g := again(by); verdict(g.figure, g.must) != "missed" {
		t.Errorf("a layer read twice: %v %% is within %v %%", g.figure, g.must)
	}
}

func TestPrintCosts(t *testing.T) {
	var b strings.Builder
	printCosts(&b, []result{
		{name: nameScan, rounds: 1, wall: time.Second, cpu: 3 * time.Second, cpuSpread: [2]time.Duration{2 * time.Second, 4 * time.Second},
			read: 5e6, peak: 64 << 20, found: "1 finding"},
		{name: nameRipgrep, rounds: 1, wall: time.Second, cpu: 2 * time.Second, read: 4e6, peak: 8 << 20},
		{name: nameSecrets},
	})
	want := []string{
		"wall s CPU s spread to cat to rg peak MiB read MB found",
		"phigate scan 1.00 3.00 2.00-4.00 - 1.50 64 5.0 1 finding",
		"ripgrep, 10 PHI expressions 1.00 2.00 0.00-0.00 - 1.00 8 4.0",
	}
	if diff := cmp.Diff(want, words(b.String())); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

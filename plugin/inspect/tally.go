package inspect

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/phigate/phigate/plugin/cache"
	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/detect/people"
	"github.com/phigate/phigate/policy/detect/pkgdb"
)

// Bounds of what one layer's facts list; beyond them things are counted, and
// the counts stand in the facts, so that nothing is lost without a word and no
// flood of one rule's findings hides another's.
const (
	maxFindings = 2000 // of one rule
	maxSkips    = 200  // of one rule, kind and reason
	maxReasons  = 1000
)

// tally collects findings and skipped of one scan.
type tally struct {
	findings []policy.Finding
	skipped  []policy.Skipped
	byRule   map[string]int
	byReason map[policy.Skipped]int
	more     map[string]*policy.Finding // by rule
	atPath   map[string][]int           // indexes of findings
	skipAt   map[string][]int           // indexes of skipped
	people   people.Set                 // whom records of PHI are about
	software software                   // what files name as installed
}

// names takes the software that a file names.
func (t *tally) names(n named) {
	if !t.software.add(n) {
		t.skip(policy.Skipped{Where: n.path, Rule: pkgdb.Rule, Kind: policy.Unscannable,
			Reason: "more software than is kept of a layer: it cannot be compared with advisories"})
	}
}

func (t *tally) find(f policy.Finding) {
	if t.byRule == nil {
		t.byRule, t.more, t.atPath = map[string]int{}, map[string]*policy.Finding{}, map[string][]int{}
	}
	t.byRule[f.Rule]++
	if t.byRule[f.Rule] <= maxFindings {
		t.atPath[f.Where.Path] = append(t.atPath[f.Where.Path], len(t.findings))
		t.findings = append(t.findings, f)
		return
	}
	more := t.more[f.Rule]
	if more == nil {
		more = &policy.Finding{Rule: f.Rule, Message: f.Message, Where: policy.Where{Path: "/"}}
		t.more[f.Rule] = more
	}
	more.Count += max(f.Count, 1)
	more.Individuals.Low = max(more.Individuals.Low, f.Individuals.Low)
	more.Individuals.Point += f.Individuals.Point
	more.Individuals.High += f.Individuals.High
}

// findName is find for what a name itself violates, which says nothing of the
// other names of the file.
func (t *tally) findName(f policy.Finding) {
	listed := len(t.findings)
	t.find(f)
	if at := t.atPath[f.Where.Path]; len(t.findings) > listed {
		t.atPath[f.Where.Path] = at[:len(at)-1]
	}
}

func (t *tally) skip(k policy.Skipped) {
	if t.byReason == nil {
		t.byReason, t.skipAt = map[policy.Skipped]int{}, map[string][]int{}
	}
	group := policy.Skipped{Rule: k.Rule, Reason: k.Reason, Kind: k.Kind}
	if _, ok := t.byReason[group]; !ok && len(t.byReason) >= maxReasons {
		group.Reason, group.Rule = "various reasons", "files"
	}
	t.byReason[group]++
	if t.byReason[group] <= maxSkips {
		t.skipAt[k.Where] = append(t.skipAt[k.Where], len(t.skipped))
		t.skipped = append(t.skipped, k)
	}
}

// skipIn lists something skipped at a place within a file: "!a/b" in an archive.
func (t *tally) skipIn(file string, k policy.Skipped) {
	listed := len(t.skipped)
	k.Where = file + k.Where
	t.skip(k)
	if k.Where != file && len(t.skipped) > listed {
		t.skipAt[file] = append(t.skipAt[file], listed)
	}
}

// repeat lists what was found in a file under another name of it, once.
func (t *tally) repeat(path, as string) {
	if len(t.atPath[as]) == 0 {
		for _, i := range t.atPath[path] {
			f := t.findings[i]
			f.Where.Path = as
			t.find(f)
		}
	}
	if len(t.skipAt[as]) == 0 {
		for _, i := range t.skipAt[path] {
			k := t.skipped[i]
			k.Where = strings.TrimPrefix(k.Where, path)
			t.skipIn(as, k)
		}
	}
}

// facts are the lists with the counts of what they had no room for.
func (t *tally) facts() *cache.Facts {
	f := &cache.Facts{Findings: t.findings, Skipped: t.skipped, Software: t.software.encode()}
	for _, rule := range slices.Sorted(maps.Keys(t.more)) {
		more := *t.more[rule]
		more.Message = fmt.Sprintf("%s, in %d more files", more.Message, t.byRule[rule]-maxFindings)
		f.Findings = append(f.Findings, more)
	}
	for group, n := range t.byReason {
		if n > maxSkips {
			group.Where = "/"
			group.Reason = fmt.Sprintf("%s, in %d more places", group.Reason, n-maxSkips)
			f.Skipped = append(f.Skipped, group)
		}
	}
	return f
}

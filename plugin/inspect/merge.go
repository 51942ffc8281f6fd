package inspect

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/phigate/phigate/plugin/cache"
	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/detect"
	"github.com/phigate/phigate/policy/detect/people"
)

// Bounds of what Files remembers, in findings and names of about 200 bytes.
const (
	chainBound   = 50_000
	matchBound   = 100_000
	advisedBound = 50_000
)

// pollNames is how many names are matched between two looks at the deadline.
const pollNames = 4096

// Files answers what a root filesystem holds from the facts in the store; it
// reads no file of any image. The same layers under the same policy are
// answered from memory. It is safe for concurrent use.
type Files struct {
	Store *cache.Store
	// Rules is how many detectors stand behind the facts, for the coverage.
	Rules int
	// Cold says how far the scan of layers is that are not in the store yet; nil:
	// that is not known.
	Cold func(keys []string) string

	// Wait bounds the time for which an answer waits until file names are matched
	// with the policy, which goes on after it; 0: as long as its context lets.
	Wait time.Duration

	known    atomic.Pointer[known] // what software is compared with; nil: nothing
	once     sync.Once
	chains   memo[chainKey, *chain]
	advised  memo[advisedKey, *advised]
	matches  memo[matchKey, *matches]
	mu       sync.Mutex
	underWay map[matchKey]*matching
}

// ready sets the bounds of what is remembered.
func (f *Files) ready() {
	f.once.Do(func() { f.chains.bound, f.matches.bound, f.advised.bound = chainBound, matchBound, advisedBound })
}

// chainKey is a hash over the policy's digest, the place and the layers' keys.
type chainKey [sha256.Size]byte

// chain is the answer for some layers under one policy, for every subject:
// which documents select it is seen last.
type chain struct {
	generation uint64
	report     policy.Report      // of the detectors
	own        [][]policy.Finding // of the file rules, by document
	whole      bool               // all layers were known and read
}

// Inspect implements the engine's Inspector. A layer that is not in the store
// is reported as Undecided; what is known of the other layers is reported all
// the same. Images that are mounted as volumes are judged like the root
// filesystem, with their findings below the mount's destination.
//
// A finding in a file that a higher layer deletes or replaces is marked
// Deleted. People are counted over all files, deleted ones too, since whoever
// has the image has them; each person once in however many files.
func (f *Files) Inspect(ctx context.Context, s *policy.Subject, p *policy.Policy) policy.Report {
	switch {
	case s.Sees.Has(policy.FactFiles):
	case s.Later.Has(policy.FactFiles):
		return policy.Report{Deferred: []policy.Deferred{{Rule: "files", Gate: s.LaterGate, Missing: policy.FactFiles.String()}}}
	case s.Never.Has(policy.FactFiles):
		return policy.Report{}
	default:
		return undecided("the files cannot be seen at this gate")
	}
	if len(s.Layers) == 0 {
		return undecided("the layers of the root filesystem are not known")
	}
	report := f.image(ctx, s.Layers, "", s, p)
	if len(s.Volumes) > 0 {
		f.volumes(ctx, &report, s, p)
	}
	report.Coverage.Rules = f.Rules
	many := detect.ManyIndividuals
	if p != nil {
		many = p.DistinctIndividuals(s, many)
	}
	if report.Individuals.Point >= many {
		report.Findings = append(report.Findings, policy.Finding{
			Rule: detect.RuleIndividuals, Message: fmt.Sprintf("records of %d or more individuals", many),
			Where: policy.Where{Field: "files"}, Individuals: report.Individuals,
		})
	}
	return report
}

// volumes adds the images that are mounted, and counts people over all.
func (f *Files) volumes(ctx context.Context, report *policy.Report, s *policy.Subject, p *policy.Policy) {
	layers := slices.Clone(s.Layers)
	for _, v := range s.Volumes {
		report.Add(below(v.Destination, f.image(ctx, v.Layers, path.Clean("/"+v.Destination), s, p)))
		layers = append(layers, v.Layers...)
	}
	if report.Individuals.Point == 0 {
		return
	}
	var affected people.Set
	slices.Sort(layers)
	for _, key := range slices.Compact(layers) {
		l, ok, err := f.Store.Get(key)
		if err == nil && ok {
			err = join(&affected, l.Facts())
		}
		if err != nil {
			report.Skipped = append(report.Skipped, imageSkip("the people affected cannot be counted"))
			return
		}
	}
	report.Individuals = individuals(&affected)
}

// join adds those whom a layer's findings are about.
func join(all *people.Set, facts *cache.Facts) error {
	if len(facts.People) == 0 {
		return nil
	}
	var set people.Set
	if err := set.UnmarshalBinary(facts.People); err != nil {
		return fmt.Errorf("%w: %w", cache.ErrCorrupt, err)
	}
	all.Merge(&set)
	return nil
}

func individuals(set *people.Set) policy.Individuals {
	e := set.Estimate()
	return policy.Individuals{Low: e.Low, Point: e.Point, High: e.High}
}

// below puts the findings of a mounted image where the container sees them.
func below(destination string, r policy.Report) policy.Report {
	for i := range r.Findings {
		r.Findings[i].Where.Path = path.Join(destination, r.Findings[i].Where.Path)
	}
	for i := range r.Skipped {
		if strings.HasPrefix(r.Skipped[i].Where, "/") {
			r.Skipped[i].Where = path.Join(destination, r.Skipped[i].Where)
		} else {
			r.Skipped[i].Where += " at " + destination
		}
	}
	return r
}

// image answers for one chain of layers. Where it is mounted at a folder, file
// rules see its files both there and as they lie in the image.
func (f *Files) image(ctx context.Context, layers []string, at string, s *policy.Subject, p *policy.Policy) policy.Report {
	if len(layers) == 0 {
		return undecided("the layers of a mounted image are not known")
	}
	c := f.chain(ctx, layers, at, p)
	report := c.report
	report.Findings = slices.Clone(report.Findings)
	report.Skipped = slices.Clone(report.Skipped)
	seen := map[[3]string]bool{}
	for i := range p.Documents {
		if i >= len(c.own) || len(c.own[i]) == 0 || !p.Documents[i].Selector.Selects(s) {
			continue
		}
		for _, finding := range c.own[i] {
			key := [3]string{finding.Rule, finding.Where.Full(), finding.Where.Layer}
			if !seen[key] {
				seen[key] = true
				report.Findings = append(report.Findings, finding)
			}
		}
	}
	return report
}

func undecided(reason string) policy.Report {
	return policy.Report{Skipped: []policy.Skipped{imageSkip(reason)}}
}

func imageSkip(reason string) policy.Skipped {
	return policy.Skipped{Where: "image", Rule: "files", Reason: reason, Kind: policy.Undecided}
}

// chain is the answer for the layers, remembered when it is whole. A policy
// without a digest is never remembered.
func (f *Files) chain(ctx context.Context, layers []string, at string, p *policy.Policy) *chain {
	f.ready()
	known := f.known.Load()
	h := sha256.New()
	fmt.Fprintf(h, "%q%q%q", p.Digest, at, known.digest())
	for _, key := range layers {
		fmt.Fprintf(h, "%q", key)
	}
	key := chainKey(h.Sum(nil))
	generation := f.Store.Generation()
	if c, ok := f.chains.get(key); ok && c.generation == generation {
		return c
	}
	c := f.merge(ctx, layers, at, p, known)
	c.generation = generation
	if c.whole && p.Digest != "" {
		cost := 1 + len(c.report.Findings) + len(c.report.Skipped)
		for _, own := range c.own {
			cost += len(own)
		}
		f.chains.put(key, c, cost)
	}
	return c
}

// merge computes a chain.
func (f *Files) merge(ctx context.Context, keys []string, at string, p *policy.Policy, known *known) *chain {
	m := &merging{Files: f, ctx: ctx, policy: p, keys: keys, at: at, known: known, chain: &chain{whole: true}}
	if err := m.run(); err != nil {
		m.whole = false
		why := "the facts about the image cannot be read"
		if ctx.Err() != nil {
			why = "the deadline passed"
		} else if errors.Is(err, cache.ErrUnknown) {
			why = "not scanned yet"
		} else if errors.Is(err, errMatching) {
			why = errMatching.Error()
		}
		m.report.Skipped = append(m.report.Skipped, imageSkip(why))
	}
	return m.chain
}

// merging is one chain being computed.
type merging struct {
	*Files
	*chain
	ctx    context.Context
	policy *policy.Policy
	keys   []string
	at     string // where the image is mounted; empty: it is the root
	known  *known
	view   view
}

func (m *merging) run() error {
	if err := m.load(); err != nil {
		return err
	}
	if err := m.facts(); err != nil {
		return err
	}
	if err := m.software(); err != nil {
		return err
	}
	if err := m.withoutTrust(); err != nil {
		return err
	}
	return m.fileRules()
}

// load gets the layers. Where a key stands twice, the lower one is kept for
// what it hides alone: its files are all in the higher one.
func (m *merging) load() error {
	var missing []string
	for _, key := range m.keys {
		l, ok, err := m.Store.Get(key)
		if err != nil {
			return err
		}
		if !ok {
			missing = append(missing, key)
		}
		m.view.layers = append(m.view.layers, l)
	}
	if len(missing) > 0 {
		m.whole = false
		m.report.Skipped = append(m.report.Skipped, imageSkip(m.coldReason(missing)))
	}
	m.stale()
	return nil
}

// stale says which layers are judged by facts of an older version.
func (m *merging) stale() {
	version := ""
	for _, l := range m.view.layers {
		if l != nil && l.Stale() != "" {
			version = l.Stale()
			m.report.Coverage.Stale++
		}
	}
	if version != "" {
		m.report.Skipped = append(m.report.Skipped, policy.Skipped{Where: "image", Rule: "files", Kind: policy.Stale,
			Reason: fmt.Sprintf("%d of %d layers are judged by what the detectors of version %s found; this version's scan goes on in the background",
				m.report.Coverage.Stale, len(m.view.layers), version)})
	}
}

func (m *merging) coldReason(missing []string) string {
	if m.Cold == nil {
		return "not scanned yet"
	}
	return m.Cold(missing)
}

// each calls fn for the known layers, highest first, each key once.
func (m *merging) each(fn func(i int, l *cache.Layer) error) error {
	for i := len(m.keys) - 1; i >= 0; i-- {
		if err := m.ctx.Err(); err != nil {
			return err
		}
		l := m.view.layers[i]
		if l == nil || slices.Contains(m.keys[i+1:], m.keys[i]) {
			continue
		}
		if err := fn(i, l); err != nil {
			return err
		}
	}
	return nil
}

// facts merges what the detectors found.
func (m *merging) facts() error {
	var t tally
	var affected people.Set
	defer func() {
		m.report.Individuals = individuals(&affected)
		all := t.facts()
		m.report.Findings = append(m.report.Findings, all.Findings...)
		m.report.Skipped = append(m.report.Skipped, all.Skipped...)
	}()
	return m.each(func(i int, l *cache.Layer) error {
		facts := l.Facts()
		m.report.Coverage = m.report.Coverage.Add(facts.Coverage)
		if err := join(&affected, facts); err != nil {
			return err
		}
		m.report.Skipped = append(m.report.Skipped, countsOf(facts.Skipped)...)
		for _, k := range facts.Skipped {
			if k.Where != "/" {
				t.skip(k)
			}
		}
		for _, finding := range facts.Findings {
			if err := m.finding(&t, i, finding); err != nil {
				return err
			}
		}
		return nil
	})
}

// countsOf are the entries that count what a layer's list had no room for.
func countsOf(skipped []policy.Skipped) []policy.Skipped {
	var out []policy.Skipped
	for _, k := range skipped {
		if k.Where == "/" {
			out = append(out, k)
		}
	}
	return out
}

func (m *merging) finding(t *tally, i int, finding policy.Finding) error {
	if finding.Where.Path != "/" { // which counts what a layer's list had no room for
		hidden, err := m.view.hidden(i, finding.Where.Path)
		if err != nil {
			return err
		}
		if hidden && m.policy.Catalogue[finding.Rule].Visible {
			return nil
		}
		finding.Where.Deleted = hidden
	}
	if finding.Where.Path == "/" {
		m.report.Findings = append(m.report.Findings, finding)
	} else {
		t.find(finding)
	}
	return nil
}

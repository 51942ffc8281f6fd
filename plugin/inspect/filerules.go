package inspect

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/phigate/phigate/plugin/cache"
	"github.com/phigate/phigate/plugin/rootfs"
	"github.com/phigate/phigate/policy"
)

type hit struct {
	rule int // index over all documents' file rules
	path string
}

// fileRules matches the rules of all documents against all layers.
func (m *merging) fileRules() error {
	rules, documents := fileRules(m.policy)
	m.own = make([][]policy.Finding, len(m.policy.Documents))
	if len(rules) == 0 {
		return nil
	}
	tallies := make([]tally, len(m.policy.Documents))
	defer func() {
		for d := range tallies {
			m.own[d] = append(m.own[d], tallies[d].facts().Findings...)
		}
	}()
	elsewhere, err := m.resolved(rules)
	if err != nil {
		return err
	}
	return m.each(func(i int, l *cache.Layer) error {
		found, err := m.matched(m.ctx, l, rules, m.policy.Digest, m.at)
		if err != nil {
			return err
		}
		behind, err := m.behind(l, elsewhere, rules)
		if err != nil {
			return err
		}
		for _, h := range slices.Concat(found.hits, behind.hits) {
			finding := policy.Finding{Rule: rules[h.rule].ID, Message: message(rules[h.rule])}
			finding.Where = policy.Where{Path: h.path, Layer: m.keys[i]}
			if finding.Where.Deleted, err = m.view.hidden(i, h.path); err != nil {
				return err
			}
			tallies[documents[h.rule]].find(finding)
		}
		for rule := range rules {
			n := found.more[rule] + behind.more[rule]
			if n == 0 {
				continue
			}
			finding := policy.Finding{Rule: rules[rule].ID, Count: n, Where: policy.Where{Path: "/", Layer: m.keys[i]}}
			finding.Message = fmt.Sprintf("%s, in %d more files", message(rules[rule]), n)
			m.own[documents[rule]] = append(m.own[documents[rule]], finding)
		}
		return nil
	})
}

// fileRules lists the rules of all documents, and the document of each.
func fileRules(p *policy.Policy) (rules []*policy.FileRule, documents []int) {
	for d := range p.Documents {
		for r := range p.Documents[d].FileRules {
			rules = append(rules, &p.Documents[d].FileRules[r])
			documents = append(documents, d)
		}
	}
	return rules, documents
}

func message(r *policy.FileRule) string {
	if r.Message != "" {
		return r.Message
	}
	return r.Title
}

// link is a rule's folder that lies elsewhere in the image.
type link struct {
	rule         int
	folder, real string // without a slash at the end
}

// resolved are the folders of rules that the image's links lead elsewhere. A
// folder that cannot be reached for its loops holds nothing.
func (m *merging) resolved(rules []*policy.FileRule) ([]link, error) {
	var out []link
	for r, rule := range rules {
		for _, prefix := range rule.Prefixes {
			folder := strings.TrimSuffix(path.Clean("/"+prefix), "/")
			real, err := m.view.resolve(folder)
			if errors.Is(err, errLoop) {
				continue
			}
			if errors.Is(err, errSteps) {
				m.report.Skipped = append(m.report.Skipped, policy.Skipped{Where: folder, Rule: rule.ID, Reason: err.Error(), Kind: policy.Unreadable})
				continue
			}
			if err != nil {
				return nil, err
			}
			if real != folder {
				out = append(out, link{r, folder, real})
			}
		}
	}
	return out, nil
}

// behind matches the files below linked folders as if they lay in the folder
// that the rule names.
func (m *merging) behind(l *cache.Layer, links []link, rules []*policy.FileRule) (*matches, error) {
	found := &matches{more: map[int]int{}}
	for _, k := range links {
		n, listed := 0, 0
		var stopped error
		err := l.Under(k.real, func(name cache.Name) bool {
			if n++; n%pollNames == 0 {
				stopped = m.ctx.Err()
			}
			match := rules[k.rule].Match
			if name.Kind != rootfs.Regular || !match(k.folder+name.Path[len(k.real):]) || match(name.Path) {
				return stopped == nil
			}
			if listed++; listed > maxFindings {
				found.more[k.rule]++
			} else {
				found.hits = append(found.hits, hit{k.rule, name.Path})
			}
			return stopped == nil
		})
		if err = errors.Join(err, stopped); err != nil {
			return nil, err
		}
	}
	return found, nil
}

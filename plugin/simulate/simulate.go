// Package simulate says what another policy would decide: among images whose
// facts are known, and among the decisions of the past. It decides by
// [policy.Decide] and enforces nothing.
package simulate

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"

	"github.com/phigate/phigate/policy"
)

// Inspector finds out about a subject; the engine is one.
type Inspector interface {
	Inspect(ctx context.Context, s *policy.Subject) (policy.Report, error)
}

// Images is what would be refused among images. Fields may be added, never
// renamed.
type Images struct {
	Total   int       `json:"total"`
	Refused []Refusal `json:"refused"`
	// Unknown are images whose files were not scanned yet, and why.
	Unknown []Unknown `json:"unknown"`
	ByRule  []Count   `json:"byRule"` // of those that block, by the images that they refuse
}

// Refusal is an image that would be refused.
type Refusal struct {
	Image  string   `json:"image"`
	Digest string   `json:"digest,omitempty"`
	Rules  []string `json:"rules"` // that block
	First  string   `json:"first"` // the gravest finding, in words
}

// Unknown is what cannot be said, and why.
type Unknown struct {
	Image string `json:"image,omitempty"`
	Seq   uint64 `json:"seq,omitempty"`
	Why   string `json:"why"`
}

// Count is how many images, or decisions, a rule refuses.
type Count struct {
	Rule  string `json:"rule"`
	Count int    `json:"count"`
}

// JudgeImages judges subjects under a policy, several at a time. An error means
// that one could not be inspected at all, such as when ctx ends.
func JudgeImages(ctx context.Context, subjects []*policy.Subject, in Inspector, p *policy.Policy, workers int) (*Images, error) {
	verdicts, errs := make([]policy.Verdict, len(subjects)), make([]error, len(subjects))
	var wg sync.WaitGroup
	next := make(chan int)
	for range max(workers, 1) {
		wg.Go(func() {
			for i := range next {
				report, err := in.Inspect(ctx, subjects[i])
				verdicts[i], errs[i] = policy.Decide(p, subjects[i], report), err
			}
		})
	}
	for i := range subjects {
		next <- i
	}
	close(next)
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	out := &Images{Total: len(subjects), Refused: []Refusal{}, Unknown: []Unknown{}}
	counts := map[string]int{}
	for i, s := range subjects {
		if verdicts[i].Action == policy.Block {
			r := refusal(s, verdicts[i])
			out.Refused = append(out.Refused, r)
			for _, rule := range r.Rules {
				counts[rule]++
			}
		}
	}
	out.ByRule = ranked(counts)
	return out, nil
}

// refusal names the rules that block an image, and what blocks besides them.
func refusal(s *policy.Subject, v policy.Verdict) Refusal {
	r := Refusal{Image: policy.Printable(cmp.Or(s.Image.Ref, s.Name)), Digest: s.Image.Digest, Rules: []string{}}
	add := func(rule, text string) {
		if r.First == "" {
			r.First = text
		}
		if !slices.Contains(r.Rules, rule) {
			r.Rules = append(r.Rules, rule)
		}
	}
	for _, f := range v.Findings {
		if f.Action == policy.Block {
			add(f.Rule, policy.Printable(f.Message)+" in "+f.Where.String())
		}
	}
	for _, k := range v.Skipped {
		if k.Action == policy.Block {
			add("not looked at", policy.Printable(k.Where)+": "+policy.Printable(k.Reason))
		}
	}
	return r
}

func ranked(counts map[string]int) []Count {
	out := []Count{}
	for rule, n := range counts {
		out = append(out, Count{rule, n})
	}
	slices.SortFunc(out, func(a, b Count) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.Rule, b.Rule))
	})
	return out
}

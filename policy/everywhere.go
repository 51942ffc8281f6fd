package policy

import "slices"

// Everywhere is what a policy says of an image itself, before anybody knows whose
// container it will be: its findings are those that block in every namespace,
// of every client and whatever the pod's labels. It blocks where there is one.
//
// It errs towards allowing: a finding that a document for some of the containers
// softens, or that an exception could, is left out, and so is one of a rule that
// nobody has any more. The gates of a container, which know whose it is, say the rest.
func Everywhere(p *Policy, s *Subject, r Report) Verdict {
	common, others := p.bySelector(s)
	v := Decide(common, s, r)
	v.Findings = slices.DeleteFunc(v.Findings, func(j Judged) bool {
		return j.Action != Block || j.Info.ID == "" || p.mayExcept(s, &j.Finding, r)
	})
	for _, d := range others {
		with := *common
		with.Documents = append(slices.Clone(common.Documents), d)
		w := Decide(&with, s, r)
		v.Findings = slices.DeleteFunc(v.Findings, func(j Judged) bool {
			return !slices.ContainsFunc(w.Findings, func(o Judged) bool { return o.Finding == j.Finding && o.Action == Block })
		})
	}
	v.Skipped, v.Deferred, v.Action = nil, nil, Allow
	if len(v.Findings) > 0 {
		v.Action = Block
	}
	return v
}

// bySelector parts the documents into those that select each container of the
// image, and those that select some. What an image is called differs by who says it,
// its digest does not. Documents by pod label only tighten.
func (p *Policy) bySelector(s *Subject) (common *Policy, others []Document) {
	all := *p
	all.Documents, all.Exceptions = nil, nil
	for _, d := range p.Documents {
		sel := d.Selector
		switch {
		case sel.ByLabel(), len(sel.ImageDigests) > 0 && !slices.Contains(sel.ImageDigests, s.Image.Digest):
			continue
		}
		d.Selector = Selector{}
		if len(sel.Runtimes) > 0 || sel.MatchNamespace != nil || sel.MatchImage != nil {
			others = append(others, d)
		} else {
			all.Documents = append(all.Documents, d)
		}
	}
	return &all, others
}

// mayExcept says whether an exception could soften a finding, in some namespace.
func (p *Policy) mayExcept(s *Subject, f *Finding, r Report) bool {
	return slices.ContainsFunc(p.Exceptions[f.Rule], func(e *Exception) bool {
		named := len(e.Digests) == 0 || slices.Contains(e.Digests, s.Image.Digest) || slices.Contains(e.Digests, s.Image.Config)
		return named && r.Now.Before(e.ExpiresAt)
	})
}

package policy_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/phigate/phigate/policy"
)

func TestExplain(t *testing.T) {
	p := &policy.Policy{Digest: "sha256:p", Catalogue: catalogue(), Documents: []policy.Document{
		{Name: "trial", Mode: ptr(policy.AuditOnly), Actions: actions{"blocks": policy.Block}},
		{Name: "roll-out", Mode: ptr(policy.Enforce), EnforceAfter: later, Actions: actions{"blocks": policy.Block}, PHIVolumes: []string{"/srv/ephi"}},
		{Name: "docker", Selector: policy.Selector{Runtimes: []string{"docker"}}, Actions: actions{"warns": policy.Block}},
	}}
	s := subject()
	s.Spec = &specs.Spec{Mounts: []specs.Mount{{Source: "/srv/ephi", Destination: "/a", Type: "bind"}}}
	e := policy.Explain(p, s, policy.Report{Now: now})
	got := map[string][]string{}
	for _, d := range e.Documents {
		got["documents"] = append(got["documents"], d.Document.Name+" "+d.Excluded)
	}
	for _, r := range e.Rules {
		got[r.Info.ID] = []string{r.Action.String()}
		for _, why := range r.Reasons {
			by := "baseline"
			if why.By != nil {
				by = why.By.Name
			}
			got[r.Info.ID] = append(got[r.Info.ID], by+": "+why.Said.String()+" -> "+why.Action.String()+" "+why.Why)
		}
	}
	want := map[string][]string{
		"documents": {"trial ", "roll-out ", "docker runtimes"},
		"blocks":    {"warn", "trial: block -> audit in mode audit", "roll-out: block -> warn policy roll-out enforces from " + later.Format("2006-01-02T15:04:05Z") + " on"},
		"warns":     {"warn", "baseline: warn -> warn "},
		"audits":    {"audit", "baseline: audit -> audit "},
		"host":      {"block", "baseline: block -> block "},
		"tools":     {"warn", "baseline: warn -> warn "},
		"phi":       {"block", "baseline: warn -> block a volume with ePHI is mounted"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("explained otherwise (-want +got):\n%s", diff)
	}
}

func TestExcludes(t *testing.T) {
	none := func(string) bool { return false }
	tests := map[string]struct {
		selector policy.Selector
		want     string
	}{
		"empty":      {policy.Selector{}, ""},
		"runtimes":   {policy.Selector{Runtimes: []string{"none"}}, "runtimes"},
		"namespaces": {policy.Selector{MatchNamespace: none}, "namespaces"},
		"images":     {policy.Selector{MatchImage: none}, "images.match"},
		"digests":    {policy.Selector{ImageDigests: []string{"sha256:other"}}, "images.digests"},
		"labels":     {policy.Selector{PodLabels: map[string]string{"absent": ""}}, "podLabels"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := test.selector.Excludes(subject()); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

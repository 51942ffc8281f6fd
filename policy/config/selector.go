package config

import (
	"regexp"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/phigate/phigate/policy"
)

// ownSelector chooses subjects: AND between its keys, OR within one, and an
// empty list says nothing.
type ownSelector struct {
	Runtimes   []located[string] `json:"runtimes" doc:"The client that starts the container." words:"runtime"`
	Namespaces struct {
		In    []located[string] `json:"in" doc:"Globs."`
		NotIn []located[string] `json:"notIn" doc:"Globs."`
	} `json:"namespaces" doc:"Namespaces of pods."`
	PodLabels struct {
		MatchLabels      map[string]string  `json:"matchLabels"`
		MatchExpressions []labelRequirement `json:"matchExpressions" doc:"As in Kubernetes: AND between them."`
	} `json:"podLabels" doc:"What it selects by label can only be tightened."`
	Images struct {
		Match   []located[string] `json:"match" doc:"Globs on the reference, with or without tag and digest."`
		Digests []located[string] `json:"digests" doc:"sha256:..."`
	} `json:"images" doc:"Images, by name or digest."`
	When located[string] `json:"when" doc:"CEL over spec, container, pod, image and node. What it selects by what a pod's author writes can only be tightened."`
}

// labelRequirement is one of matchExpressions, as Kubernetes has them.
type labelRequirement struct {
	placed
	Key      located[string]   `json:"key" doc:"Of the label."`
	Operator located[string]   `json:"operator" doc:"In, NotIn, Exists or DoesNotExist; NotIn holds where the label is not there." words:"operator"`
	Values   []located[string] `json:"values" doc:"Of In and NotIn."`
}

// operators that a requirement may have.
var operators = [...]string{string(policy.LabelIn), string(policy.LabelNotIn), string(policy.LabelExists), string(policy.LabelDoesNotExist)}

// requirements compiles what a selector demands of labels.
func (s *source) requirements(from []labelRequirement) (out []policy.LabelExpression) {
	for _, r := range from {
		e := policy.LabelExpression{Key: r.Key.Value, Operator: policy.LabelOperator(r.Operator.Value)}
		for _, v := range r.Values {
			e.Values = append(e.Values, v.Value)
		}
		bySet := e.Operator == policy.LabelIn || e.Operator == policy.LabelNotIn
		switch {
		case e.Key == "":
			s.problem(r.at, "key is missing: which label is meant?")
		case !r.Operator.Set:
			s.problem(r.at, "operator is missing: %s", listed(operators[:], "or"))
		case !slices.Contains(operators[:], r.Operator.Value):
			s.suggest(r.Operator.at, r.Operator.Value, operators[:], "operator %s is not known; known are %s", shown(r.Operator.Value), listed(operators[:], "and"))
		case bySet && len(e.Values) == 0:
			s.problem(r.Operator.at, "%s needs values", e.Operator)
		case !bySet && len(e.Values) > 0:
			s.problem(r.Values[0].at, "%s takes no values; for a label of some values there is In", e.Operator)
		default:
			out = append(out, e)
		}
	}
	return out
}

// runtimes that a selector may name.
var runtimes = [...]string{"cri", "ctr", "nerdctl", "docker", "podman", "buildkit"}

var digestForm = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

func (o *ownSelector) compile(src *source) policy.Selector {
	sel := policy.Selector{
		Namespaces: src.globs(o.Namespaces.In), NotNamespaces: src.globs(o.Namespaces.NotIn),
		ImageGlobs: src.globs(o.Images.Match), PodLabels: o.PodLabels.MatchLabels,
		PodExpressions: src.requirements(o.PodLabels.MatchExpressions),
	}
	for _, r := range o.Runtimes {
		if !slices.Contains(runtimes[:], r.Value) {
			src.suggest(r.at, r.Value, runtimes[:], "runtime %s is not known; known are %s", shown(r.Value), listed(runtimes[:], "and"))
		}
		sel.Runtimes = append(sel.Runtimes, r.Value)
	}
	for _, digest := range o.Images.Digests {
		if !digestForm.MatchString(digest.Value) {
			src.problem(digest.at, "a digest is sha256: and 64 hexadecimal digits, and here is %s", shown(digest.Value))
		}
		sel.ImageDigests = append(sel.ImageDigests, digest.Value)
	}
	sel.MatchNamespace = namespaceMatcher(sel.Namespaces, sel.NotNamespaces)
	if globs := sel.ImageGlobs; len(globs) > 0 {
		sel.MatchImage = func(ref string) bool {
			return slices.ContainsFunc(refForms(ref), func(form string) bool { return anyGlob(globs, form) })
		}
	}
	return sel
}

// namespaceMatcher is nil where all namespaces are meant.
func namespaceMatcher(in, not []string) func(string) bool {
	if len(in)+len(not) == 0 {
		return nil
	}
	return func(namespace string) bool {
		return (len(in) == 0 || anyGlob(in, namespace)) && !anyGlob(not, namespace)
	}
}

// refForms are an image reference as written, without its digest, and without
// its tag: a glob may be meant for any of them.
func refForms(ref string) []string {
	forms := []string{ref}
	if at := strings.LastIndexByte(ref, '@'); at >= 0 {
		ref = ref[:at]
		forms = append(forms, ref)
	}
	if colon := strings.LastIndexByte(ref, ':'); colon > strings.LastIndexByte(ref, '/') {
		forms = append(forms, ref[:colon])
	}
	return forms
}

func anyGlob(globs []string, text string) bool {
	for _, glob := range globs {
		if ok, err := doublestar.Match(glob, text); ok && err == nil {
			return true
		}
	}
	return false
}

func (s *source) globs(from []located[string]) []string {
	var out []string
	for _, g := range from {
		if s.glob(g.at, g.Value) {
			out = append(out, g.Value)
		}
	}
	return out
}

// Limits of a glob: braces multiply the time that matching takes.
const (
	maxGlob   = 256 // bytes
	maxBraces = 4
	maxCommas = 16 // in all braces: at most 625 patterns in one
)

// glob checks a doublestar pattern.
func (s *source) glob(at position, glob string) bool {
	switch {
	case glob == "":
		s.problem(at, "an empty glob matches nothing; leave it out")
	case len(glob) > maxGlob || strings.Count(glob, "{") > maxBraces || strings.Contains(glob, "{") && strings.Count(glob, ",") > maxCommas:
		s.problem(at, "the glob is too long; %d bytes, %d braces and %d commas in them are accepted", maxGlob, maxBraces, maxCommas)
	case !doublestar.ValidatePattern(glob):
		s.problem(at, "%s is not a valid glob; known are *, **, ?, [a-z] and {one,other}", shown(glob))
	default:
		return true
	}
	return false
}

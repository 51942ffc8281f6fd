package rules

import (
	"maps"
	"slices"
	"unicode"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/hipaa"
)

// 45 CFR 164.502(b)(1): a covered entity "must make reasonable efforts to limit
// protected health information to the minimum necessary to accomplish the
// intended purpose of the use, disclosure, or request."
// 45 CFR 164.312(a)(1): "... to allow access only to those persons or software
// programs that have been granted access rights as specified in § 164.308(a)(4)."
//
// As in [phiInEnv] a label and a valid value must come together.
var phiInMetadata = policy.Rule{
	Info: policy.Info{
		ID: "phi-in-metadata", Aliases: []string{"OCI-025"},
		Title:    "A patient's identifiers stand in arguments, labels, annotations or the host name",
		Cites:    []hipaa.Citation{hipaa.MinimumNecessary, hipaa.AccessControl},
		Severity: policy.Critical, Default: policy.Block,
		Rationale: "PHI must be limited to the minimum necessary (164.502(b)) and to those who were granted access (164.312(a)(1)). " +
			"Arguments are shown by ps to the whole node; labels and annotations are kept in the cluster's store, metrics and logs.",
		Fix: "Take the identifiers out of the pod; give the program a number that means nothing outside of its database.",
	},
	Needs: policy.FactArgs | policy.FactMetadata,
	Early: policy.FactArgs,
	Check: checkPHIInMetadata,
}

// maxAnnotation bounds what is read of one annotation, in bytes; Kubernetes lets
// all of an object have 256 KiB.
const maxAnnotation = 256 << 10

func checkPHIInMetadata(s *policy.Subject) []policy.Finding {
	args := sightings{place: "argument"}
	for _, one := range settings(s) {
		args.look("process.args", one.index, one.name+"="+one.value)
	}
	for i, arg := range process(s).Args {
		if hasBlank(arg) && len(arg) <= maxArguments {
			args.look("process.args", i, "="+arg)
		}
	}
	labels := sightings{place: "label"}
	eachSorted(s.Pod.Labels, func(key, value string) { labels.look("pod.labels", -1, key+"="+value) })
	found := append(args.findings(), labels.findings()...)
	if !s.Sees.Has(policy.FactMetadata) || s.Spec == nil {
		return found
	}
	annotations := sightings{place: "annotation"}
	eachSorted(s.Spec.Annotations, func(key, value string) {
		annotations.look("annotations", -1, baseName(key)+"="+value[:min(len(value), maxAnnotation)])
	})
	host := sightings{place: "host name"}
	host.look("hostname", -1, "="+spaced(s.Spec.Hostname))
	return slices.Concat(found, annotations.findings(), host.findings())
}

// spaced is a host name with blanks in place of the dashes between its words,
// not of those within numbers.
func spaced(name string) string {
	text := []byte(name)
	for i, b := range text {
		if b == '-' && i > 0 && unicode.IsLetter(rune(text[i-1])) {
			text[i] = ' '
		}
	}
	return string(text)
}

// eachSorted visits a map in the order of its keys, so that equal subjects give
// equal findings.
func eachSorted(m map[string]string, visit func(key, value string)) {
	for _, key := range slices.Sorted(maps.Keys(m)) {
		visit(key, m[key])
	}
}

package rules

import (
	"fmt"
	"slices"
	"strings"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/hipaa"
)

// 45 CFR 164.502(b)(1): a covered entity "must make reasonable efforts to limit
// protected health information to the minimum necessary to accomplish the
// intended purpose of the use, disclosure, or request."
// 45 CFR 164.312(a)(1): "... to allow access only to those persons or software
// programs that have been granted access rights as specified in § 164.308(a)(4)."
//
// An identifier is found where a label (the variable's name, or words in the
// value) and a valid value come together; a bare number is never one. The
// identifiers are those of 164.514(b)(2)(i) that have a form of their own.
var phiInEnv = policy.Rule{
	Info: policy.Info{
		ID: "phi-in-env", Aliases: []string{"OCI-024"},
		Title:    "A patient's identifiers stand in the environment",
		Cites:    []hipaa.Citation{hipaa.MinimumNecessary, hipaa.AccessControl},
		Severity: policy.Critical, Default: policy.Block,
		Rationale: "PHI must be limited to the minimum necessary (164.502(b)) and to those who were granted access (164.312(a)(1)). " +
			"The environment is shown by inspect and kubectl, inherited by every child, and written into crash reports and logs.",
		Fix: "Take the identifiers out of the pod and image; let the program read the record from its database.",
	},
	Needs: policy.FactEnv,
	Check: checkPHIInEnv,
}

// person gathers the variables that speak of one person, as far as their names
// tell: PATIENT_SSN and PATIENT_DOB are one, PATIENT2_SSN is another.
type person struct {
	first int // index in the environment
	what  []string
	keys  []string
	sure  bool // more than a label of a date alone
	count int
}

func checkPHIInEnv(s *policy.Subject) []policy.Finding {
	people := map[string]*person{}
	var order []string
	for i, entry := range process(s).Env {
		id, ok := identify(entry)
		if !ok {
			continue
		}
		p := people[id.person]
		if p == nil {
			p = &person{first: i}
			people[id.person] = p
			order = append(order, id.person)
		}
		p.add(id, entry)
	}
	var found []policy.Finding
	for _, who := range order {
		if p := people[who]; p.sure || len(p.what) > 1 {
			f := at(fmt.Sprintf("process.env[%d]", p.first), "%s in environment variable %s", strings.Join(p.what, " and "), strings.Join(p.keys, ", "))
			f.Count = p.count
			f.Individuals = policy.Individuals{Low: 1, Point: 1, High: 1}
			found = append(found, f)
		}
	}
	return found
}

// maxNamed bounds the variables that one message names.
const maxNamed = 4

func (p *person) add(id identifier, entry string) {
	p.count++
	p.sure = p.sure || id.sure
	if !slices.Contains(p.what, id.what) {
		p.what = append(p.what, id.what)
	}
	key, _ := splitEnv(entry)
	if name := keyName(key); len(p.keys) < maxNamed && !slices.Contains(p.keys, name) {
		p.keys = append(p.keys, name)
	}
}

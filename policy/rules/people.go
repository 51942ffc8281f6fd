package rules

import (
	"fmt"
	"slices"
	"strings"

	"github.com/phigate/phigate/policy"
)

// maxNamed bounds what one message names.
const maxNamed = 4

// sightings gather what is said of people in one place, such as the
// environment, by the person as far as the names tell: PATIENT_SSN and
// PATIENT_DOB are one, PATIENT2_SSN is another.
type sightings struct {
	place  string // "environment variable"
	people map[string]*person
	order  []string
}

// person is what was seen of one.
type person struct {
	field string // where first
	what  []string
	keys  []string
	sure  bool // more than a label of a date alone
	count int
}

// look judges one "KEY=value" at a field, or at a place of the list that the
// field is; none is below 0.
func (g *sightings) look(field string, index int, entry string) {
	id, ok := identify(entry)
	if !ok {
		return
	}
	p := g.people[id.person]
	if p == nil {
		if g.people == nil {
			g.people = map[string]*person{}
		}
		p = &person{field: field}
		if index >= 0 {
			p.field = fmt.Sprintf("%s[%d]", field, index)
		}
		g.people[id.person] = p
		g.order = append(g.order, id.person)
	}
	p.count++
	p.sure = p.sure || id.sure
	if !slices.Contains(p.what, id.what) {
		p.what = append(p.what, id.what)
	}
	key, _ := splitEnv(entry)
	if name := keyName(key); key != "" && len(p.keys) < maxNamed && !slices.Contains(p.keys, name) {
		p.keys = append(p.keys, name)
	}
}

// findings are one for each person of whom enough is said.
func (g *sightings) findings() []policy.Finding {
	var found []policy.Finding
	for _, who := range g.order {
		p := g.people[who]
		if !p.sure && len(p.what) < 2 {
			continue
		}
		f := at(p.field, "%s in %s %s", strings.Join(p.what, " and "), g.place, strings.Join(p.keys, ", "))
		f.Message = strings.TrimSuffix(f.Message, " ")
		f.Count = p.count
		f.Individuals = policy.Individuals{Low: 1, Point: 1, High: 1}
		found = append(found, f)
	}
	return found
}

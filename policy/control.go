package policy

// Relation is how a rule serves the paragraphs that it cites. Neither makes
// anyone compliant.
type Relation uint8

const (
	Supports  Relation = iota // it helps to meet the paragraph
	Evidences                 // it shows something about how the paragraph is met
)

var relationNames = [...]string{"supports", "evidences"}

func (r Relation) String() string { return nameOf(relationNames[:], int(r)) }

// MarshalText makes relations words in every format.
func (r Relation) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// Control is an entry of another catalogue that corresponds to a rule. Numbers
// move between the versions of a benchmark, so the version belongs to it.
type Control struct {
	Benchmark string `json:"benchmark"`
	Version   string `json:"version"`
	ID        string `json:"id"`
}

// String is the control as it is printed: "CIS Docker Benchmark 1.6.0, 5.5".
func (c Control) String() string { return c.Benchmark + " " + c.Version + ", " + c.ID }

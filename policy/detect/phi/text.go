package phi

import (
	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/detect"
	"github.com/phigate/phigate/policy/hipaa"
)

// Text finds patients in free text, logs and files of settings: an identifier is
// a label with a valid value behind it. Names count behind a label only; what
// stands in prose without one is not found.
func Text() detect.Detector {
	return detect.Detector{
		Info: policy.Info{
			ID:       "phi-text",
			Aliases:  []string{"PHI-010"},
			Title:    "Text or log with identifiers of patients",
			Cites:    []hipaa.Citation{hipaa.MinimumNecessary, hipaa.AccessControl},
			Severity: policy.High,
			Default:  policy.Warn,
			Rationale: "PHI must be limited to the minimum necessary (164.502(b)) and to those who were granted access (164.312(a)(1)). " +
				"Notes and logs travel with the image to every registry and node, and logs are read by people who need no patient's name.",
			Fix: "Remove the file from the image and from the layers below it, and keep identifiers out of logs and settings.",
		},
		Anchors:  labelWords(),
		Near:     nearText,
		ManyFrom: manyInText,
		Many: policy.Info{
			ID:       "phi-text-many",
			Title:    "Text or log with identifiers of ten patients or more",
			Cites:    []hipaa.Citation{hipaa.UsesDisclosures, hipaa.AccessControl},
			Severity: policy.Critical,
			Default:  policy.Block,
			Rationale: "One patient's identifiers in a text may be an example; those of ten are a log or an export, which a covered entity " +
				"may not disclose except as permitted (164.502(a)) and must allow access to only to those who were granted it (164.312(a)(1)).",
			Fix: "Remove the file from the image and from the layers below it, and keep identifiers out of logs.",
		},
	}
}

// manyInText is from how many people on a text is no note or example any more.
const manyInText = 10

// near is the distance within which identifiers and context belong together.
const near = 512

// nearText reports the record that the label at the match leads. Each match in a
// record comes here; the first alone speaks for it. What costs little and says no
// comes first: most matches have no value behind them, or another label leads.
func nearText(h detect.Hit, s *detect.Sink) {
	label := labelAround(h.Text, h.At, h.End)
	if label < 0 {
		return
	}
	var some [8]item                                   // seldom more
	done := min(s.Covered()-textOff(&h), int64(label)) // before it are other records
	line := max(lastEnd(h.Text[:label])+1, label-near, int(done))
	items := itemsIn(some[:0], h.Text, line, h.End, false)
	begin := leads(h.Text, items, label)
	if begin < 0 {
		return
	}
	if begin == 0 && line > int(done) {
		if start := chain(&h, line); start < line {
			items = itemsIn(items[:0], h.Text, start, lineStop(h.Text, h.End), false)
			if begin = leads(h.Text, items, label); begin < 0 {
				return
			}
		}
	}
	start := items[begin].label
	items = itemsIn(items[:0], h.Text, start, min(len(h.Text), label+3*near), true)
	if end := recordEnd(h.Text, items, 0); end > 0 {
		s.Record(recordOf(&h, items[:end]))
		s.Cover(textOff(&h) + int64(items[end-1].end))
	}
}

// labelAround is where the label begins that covers a match and has a value; -1
// where there is none.
func labelAround(text []byte, at, end int) int {
	for at < end && !letterOrFigure(text[at]) {
		at++
	}
	begin := at
	for words := 0; words < longestLabel && begin >= 0; words++ {
		for begin > 0 && letterOrFigure(text[begin-1]) {
			begin--
		}
		if it, ok := itemAt(text, begin); ok && it.labelEnd > at {
			return begin
		}
		if begin < 2 || !labelGap(text[begin-1]) || !letterOrFigure(text[begin-2]) {
			break
		}
		begin--
	}
	return -1
}

// leads is the index of the item that begins the record within the line, of which
// the label is the first that wakes the detector; -1: another leads.
func leads(text []byte, items []item, label int) int {
	for from := 0; from < len(items); {
		to := recordEnd(text, items, from)
		for i := from; i < to; i++ {
			if items[i].anchored {
				if items[i].label == label {
					return from
				}
				break
			}
		}
		from = to
	}
	return -1
}

// chain is where to begin to cut the lines before one into records: at the nearest
// that has something of the same kind, since a record begins behind it.
func chain(h *detect.Hit, line int) (start int) {
	var some, others [8]item
	var here [kinds]bool
	for _, it := range itemsIn(some[:0], h.Text, line, lineStop(h.Text, h.End), false) {
		here[it.kind] = tells(it.kind)
	}
	start = line
	for stop := line; stop > 0 && line-stop <= near; {
		begin := lastEnd(h.Text[:stop-1]) + 1
		if begin == 0 && textOff(h) > 0 {
			return start // its beginning is not seen
		}
		for _, it := range itemsIn(others[:0], h.Text, begin, stop, false) {
			start = begin
			if here[it.kind] {
				return start
			}
		}
		stop = begin
	}
	return start
}

// lineStop is where the line ends that at is in.
func lineStop(text []byte, at int) int {
	if end := firstEnd(text[at:]); end >= 0 {
		return at + end
	}
	return len(text)
}

// recordOf makes the record of items.
func recordOf(h *detect.Hit, items []item) detect.Record {
	var p person
	weight := pathContext(h.Meta.Path)
	for _, it := range items {
		p.set(it.kind, h.Text[it.value:it.end])
		weight += it.weight
	}
	p.finish()
	if r := (detect.Record{Has: p.traits()}); r.Level() == detect.PII && weight < enoughContext {
		from, to := max(0, items[0].label-near), min(len(h.Text), items[len(items)-1].end+near)
		weight += contextOf(h.Text[from:to])
	}
	return p.row(textOff(h)+int64(items[0].label), weight)
}

// recordEnd is where the record that begins with an item ends: before a line with
// a kind that was there, or within a line where one comes again; far behind the
// last item; and where a name follows a blank line.
func recordEnd(text []byte, items []item, from int) int {
	var seen [kinds]bool
	for i := from; i < len(items); i++ {
		if i > from {
			gap := text[items[i-1].end:max(items[i-1].end, items[i].label)]
			again := seen[items[i].kind]
			if firstEnd(gap) >= 0 {
				again = again || repeats(text, items[i:], &seen) || items[i].kind == fullName && blankLine(gap)
			}
			if again || len(gap) > near {
				return i
			}
		}
		seen[items[i].kind] = tells(items[i].kind)
	}
	return len(items)
}

// repeats says whether a line that begins with the items has a kind that was seen.
func repeats(text []byte, items []item, seen *[kinds]bool) bool {
	for i, it := range items {
		if i > 0 && firstEnd(text[items[i-1].end:max(items[i-1].end, it.label)]) >= 0 {
			return false
		}
		if seen[it.kind] {
			return true
		}
	}
	return false
}

// tells says whether a record has one of the kind only: a second is another's.
func tells(k kind) bool {
	switch k {
	case fullName, lastName, anyName, dob, ssn, mrn, mbi:
		return true
	}
	return false
}

// blankLine says whether the text has a line without content.
func blankLine(text []byte) bool {
	ends := 0
	for _, c := range text {
		switch c {
		case '\n':
			if ends++; ends == 2 {
				return true
			}
		case '\r', ' ', '\t':
		default:
			ends = 0
		}
	}
	return false
}

// contextOf weighs what a text speaks of health: two different words suffice.
func contextOf(text []byte) int {
	weight := 0
	var first [maxWord]byte
	n := 0
	eachWord(text, func(begin, end int) bool {
		var buf [maxWord]byte
		w := lowerWord(text[begin:end], &buf)
		if !healthWord(string(w)) && !noteWord(string(w)) || string(w) == string(first[:n]) {
			return true
		}
		n = copy(first[:], w)
		weight++
		return weight < enoughContext
	})
	return weight
}

// noteWord are words of clinical notes besides those of headers.
func noteWord(word string) bool {
	switch word {
	case "patient", "patients", "diagnosis", "diagnosed", "diagnoses", "dx", "icd10", "hospital", "clinic", "physician", "prescribed", "complaint",
		"presented", "mrn", "attending", "pain", "oncology", "radiology", "cardiology", "insurer", "specimen", "biopsy", "inpatient", "outpatient":
		return true
	}
	return false
}

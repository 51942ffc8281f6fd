package main

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// entry is one labelled file of the corpus.
type entry struct {
	path   string // within the corpus
	format string
	label  string
	people int // that it is about; 0: not said
}

// manifest reads the labels: MANIFEST.tsv with the columns path, format, label,
// why and more.
func manifest(corpus string) ([]entry, error) {
	f, err := os.Open(filepath.Join(corpus, "MANIFEST.tsv"))
	if err != nil {
		return nil, fmt.Errorf("opening the corpus: %w", err)
	}
	defer f.Close()
	var entries []entry
	right := wrongLabels()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		cells := strings.Split(lines.Text(), "\t")
		if len(cells) < 4 || cells[0] == "local_path" {
			continue
		}
		e := entry{path: cells[0], format: cells[1], label: cells[2]}
		if label, wrong := right[e.path]; wrong {
			e.label = label
		}
		if _, n, ok := strings.Cut(cells[3], "individuals="); ok {
			if e.people, err = strconv.Atoi(n); err != nil {
				return nil, fmt.Errorf("reading the manifest, %s: a count of people: %w", e.path, err)
			}
		}
		entries = append(entries, e)
	}
	return entries, lines.Err()
}

// wrongLabels are files whose label is wrong, which somebody looked at.
func wrongLabels() map[string]string {
	return map[string]string{ // path: the right label
		// PatientName and PatientID are there, in elements with the value representation UN.
		"pydicom+pydicom/src/pydicom/data/test_files/rtdose_rle.dcm":        "phi",
		"pydicom+pydicom/src/pydicom/data/test_files/rtdose_rle_1frame.dcm": "phi",
	}
}

// class is a group of formats with goals of its own.
type class struct {
	name              string
	prefixes          []string // of formats
	recall, precision float64
}

// classes are those of the goals; the first whose prefix fits a format has it.
func classes() []class {
	return []class{
		{"HL7 v2", []string{"hl7v2"}, 0.99, 0.995},
		{"X12", []string{"x12", "xml/x12"}, 0.99, 0.995},
		{"C-CDA", []string{"ccda"}, 0.99, 0.995},
		{"FHIR", []string{"fhir"}, 0.99, 0.995},
		{"DICOM", []string{"dicom", "json/dicom"}, 0.99, 0.995},
		{"tables, dumps, databases", []string{"csv", "tsv", "psv", "xlsx", "sql", "tar"}, 0.97, 0.98},
		{"text, logs, JSON, other", []string{""}, 0.80, 0.95},
	}
}

func classOf(format string) int {
	for i, c := range classes() {
		for _, prefix := range c.prefixes {
			if strings.HasPrefix(format, prefix) {
				return i
			}
		}
	}
	panic("quality: the last class takes every format")
}

// score is how the files of one class were judged.
type score struct {
	class
	phi, found         int // files with PHI, and those that were found
	harmless, raised   int // files that must raise no PHI finding, and those that did
	deid, deidRaised   int
	counted, offCount  int // files with a known number of people, and those with another estimate
	missed, wrong, off []string
}

func (s *score) recall() float64 { return ratio(s.found, s.phi) }

// precision is the share of findings that are right.
func (s *score) precision() float64 { return ratio(s.found, s.found+s.raised) }

func ratio(n, of int) float64 {
	if of == 0 {
		return 1
	}
	return float64(n) / float64(of)
}

// The tolerance of an estimate of people.
const tolerance = 0.05

// judge compares what was found with the labels.
func judge(entries []entry, found map[string]*verdict) []score {
	scores := make([]score, len(classes()))
	for i, c := range classes() {
		scores[i].class = c
	}
	for _, e := range entries {
		v := found["/"+e.path]
		if v == nil {
			v = &verdict{}
		}
		scores[classOf(e.format)].add(e, v)
	}
	return scores
}

func (s *score) add(e entry, v *verdict) {
	switch e.label {
	case "phi":
		s.phi++
		if v.phi == 0 {
			s.missed = append(s.missed, e.path)
			return
		}
		s.found++
		if e.people == 0 {
			return
		}
		s.counted++
		if off := float64(v.people-e.people) / float64(e.people); off < -tolerance || off > tolerance {
			s.offCount++
			s.off = append(s.off, fmt.Sprintf("%s: %d people, want %d", e.path, v.people, e.people))
		}
	case "deid":
		s.deid++
		if v.phi > 0 {
			s.deidRaised++
			s.wrong = append(s.wrong, e.path+" (de-identified)")
		}
	case "clean", "clean-hard", "pii":
		s.harmless++
		if v.phi > 0 {
			s.raised++
			s.wrong = append(s.wrong, fmt.Sprintf("%s (%s: %s)", e.path, e.label, strings.Join(v.rules, ", ")))
		}
	}
}

// goals says what of a class falls short; no file of those without PHI may
// raise a finding, whatever the precision.
func (s *score) goals() []string {
	var short []string
	if s.recall() < s.class.recall {
		short = append(short, fmt.Sprintf("%s: recall %.3f, want %.3f", s.name, s.recall(), s.class.recall))
	}
	if s.raised > 0 {
		short = append(short, fmt.Sprintf("%s: %d harmless files raised, want none", s.name, s.raised))
	}
	if s.offCount > 0 {
		short = append(short, fmt.Sprintf("%s: %d estimates of people are off by more than %.0f %%", s.name, s.offCount, 100*tolerance))
	}
	return short
}

// deidGoal is the share of de-identified files that may raise a PHI finding.
const deidGoal = 0.05

// shortfalls are the goals that are missed over all classes.
func shortfalls(scores []score) []string {
	var short []string
	deid, raised := 0, 0
	for i := range scores {
		short = append(short, scores[i].goals()...)
		deid, raised = deid+scores[i].deid, raised+scores[i].deidRaised
	}
	if float64(raised) > deidGoal*float64(deid) {
		short = append(short, fmt.Sprintf("de-identified files: %d of %d raised, want at most %.0f %%", raised, deid, 100*deidGoal))
	}
	return short
}

package phi

import (
	"bytes"
	"strings"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/detect"
	"github.com/phigate/phigate/policy/hipaa"
)

// FileName finds files of data whose names speak of patients. It reads none.
func FileName() detect.Detector {
	return detect.Detector{
		Info: policy.Info{
			ID:       "phi-name",
			Aliases:  []string{"PHI-011"},
			Title:    "File of data with a name that suggests patients",
			Cites:    []hipaa.Citation{hipaa.MinimumNecessary},
			Severity: policy.Medium,
			Default:  policy.Warn,
			Rationale: "PHI must be limited to the minimum necessary (164.502(b)). Data of patients in an image is seldom meant to be there, " +
				"and what a file is called is often the only sign of it where its content cannot be read.",
			Fix: "Look at the file; remove it if it holds data of patients, else make an exception for its path.",
		},
		Open: func(m detect.Meta, s *detect.Sink) detect.Reader {
			// Of what says that it is FHIR the content is known, and tells more.
			if len(m.Head) > 0 && suggestive(m.Path) && !bytes.Contains(m.Head, []byte(`"resourceType"`)) {
				s.Found(0)
			}
			return nil
		},
	}
}

// suggestive judges a path: a word of its last part, and what kind of file it is.
func suggestive(path string) bool {
	base := path[strings.LastIndexAny(path, "/!")+1:]
	stem, kind := dataFile(base)
	if kind == noData {
		return false
	}
	all := words(stem)
	for i, w := range all {
		pair := ""
		if i > 0 {
			pair = all[i-1] + w
		}
		if patientWords(w) || patientWords(pair) || kind == tabular && claimWords(w) {
			return true
		}
	}
	return false
}

// patientWords in the name of any file of data say that it is about patients.
func patientWords(word string) bool {
	switch word {
	case "patient", "patients", "phi", "ephi", "mrn", "ccda", "labresult", "labresults", "patientdata", "medicalrecord", "medicalrecords",
		"dischargesummary", "dischargesummaries":
		return true
	}
	return false
}

// claimWords mean something else in programs: members, claims of tokens, clusters
// called EMR. In tables and dumps they speak of patients.
func claimWords(word string) bool {
	switch word {
	case "ehr", "emr", "claim", "claims", "837", "835", "834", "837p", "837i", "eob", "hl7", "dicom", "radiology", "discharge", "discharges", "member",
		"members", "enrol", "enrollment", "enrolment", "enrollments", "encounters", "diagnoses", "admissions", "medicare", "medicaid":
		return true
	}
	return false
}

// dataKind is what a file's ending says.
type dataKind uint8

const (
	noData   dataKind = iota
	document          // JSON, XML: programs have them too
	tabular           // rows or messages
)

// dataFile cuts off the endings of data, compression included.
func dataFile(base string) (stem string, kind dataKind) {
	stem = base
	for _, packed := range []string{".gz", ".zip", ".bz2", ".xz", ".zst"} {
		if len(stem) > len(packed) && strings.EqualFold(stem[len(stem)-len(packed):], packed) {
			stem = stem[:len(stem)-len(packed)]
			break
		}
	}
	dot := strings.LastIndexByte(stem, '.')
	if dot < 1 {
		return "", noData
	}
	ending := strings.ToLower(stem[dot+1:])
	stem = stem[:dot]
	switch ending {
	case "csv", "tsv", "psv", "sql", "dump", "bak", "xlsx", "xls", "hl7", "dcm", "edi", "x12", "mdb", "accdb", "parquet", "sqlite", "db", "ndjson":
		return stem, tabular
	case "json", "jsonl":
		return stem, document
	}
	return "", noData
}

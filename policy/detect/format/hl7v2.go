// Package format finds health records in the formats that health standards
// define.
package format

import (
	"bytes"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/detect"
	"github.com/phigate/phigate/policy/hipaa"
)

// HL7v2 finds HL7 version 2 messages about a patient.
func HL7v2() detect.Detector {
	return detect.Detector{
		Info: policy.Info{
			ID:       "phi-hl7v2",
			Aliases:  []string{"PHI-001"},
			Title:    "HL7 v2 message with a patient",
			Cites:    []hipaa.Citation{hipaa.AccessControl, hipaa.UsesDisclosures},
			Severity: policy.Critical,
			Default:  policy.Block,
			Rationale: "A covered entity may not use or disclose protected health information except as permitted (164.502(a)), " +
				"and must allow access to it only to those who have been granted access rights (164.312(a)(1)). " +
				"An HL7 v2 message names its patient in the segment PID; in an image it reaches every registry and node that runs it.",
			Fix: "Remove the messages from the image and from the layers below it; let tests make messages without real patients at run time.",
		},
		// A header, whatever its delimiters are, and a PID whose header was cut
		// off. They wake the reader also in the middle of a line, where logs,
		// dumps of databases and JSON hold messages.
		Anchors: []string{`MSH` + mark + mark + mark, `PID\|1\|`, `PID\|\|`},
		Open:    openHL7v2,
	}
}

// mark is the class of the bytes that delimit in messages: ASCII punctuation.
const mark = "[!-/:-@\\[-`{-~]"

func openHL7v2(_ detect.Meta, s *detect.Sink) detect.Reader {
	h := &hl7v2{sink: s}
	h.cutter.emit = h.segment
	return h
}

// maxForeign is how many lines that are no segments may stand within a message:
// text that was wrapped. maxAway is how many bytes of them.
const (
	maxForeign = 100
	maxAway    = 256 << 10
)

// hl7v2 reads one file.
type hl7v2 struct {
	sink    *detect.Sink
	cutter  hl7Cutter
	sep     delimiters
	foreign int
	good    int64 // where the last segment ended
}

// delimiters are those that MSH-1 and MSH-2 declare (HL7 v2.5.1, 2.5.4).
type delimiters struct{ field, component, repetition, sub byte }

// usual are the delimiters that HL7 recommends.
var usual = delimiters{'|', '^', '~', '&'}

func (h *hl7v2) Window(w detect.Window) { h.cutter.window(w) }
func (h *hl7v2) Close()                 { h.cutter.close() }

// Idle says that no message is open and none begins in the last bytes.
func (h *hl7v2) Idle() bool { return h.cutter.idle() }

// segment takes what stands between two ends.
func (h *hl7v2) segment(text []byte, off int64) {
	if d, ok := header(text); ok {
		h.cutter.open, h.foreign, h.sep = true, 0, d
		h.cutter.field = d.field
		h.good = off + int64(len(text))
		return
	}
	if !h.cutter.open {
		if f := fieldsOf(text, usual); orphan(f) {
			h.patient(f, usual, off)
		}
		return
	}
	text = bytes.TrimLeft(text, " \t\"'")
	name := h.name(text)
	h.count(name, len(text), off)
	switch name {
	case "BTS", "FTS", "BHS", "FHS":
		h.cutter.open = false
	case "PID":
		if h.cutter.cut {
			h.sink.Skip("HL7 v2 segment longer than 16 KiB was read up to there")
		}
		h.patient(fieldsOf(text, h.sep), h.sep, off)
	case "QRD", "QPD":
		h.query(text, off)
	}
}

// count ends the message after too much that is none of its segments.
func (h *hl7v2) count(name string, n int, off int64) {
	if name != "" {
		h.good = off + int64(n)
		return
	}
	if h.foreign++; h.foreign > maxForeign || off+int64(n)-h.good > maxAway {
		h.cutter.open = false
	}
}

// name is that of the segment, empty for what is none.
func (h *hl7v2) name(line []byte) string {
	if len(line) < 3 || len(line) > 3 && line[3] != h.sep.field {
		return ""
	}
	for i, c := range line[:3] {
		if !(c >= 'A' && c <= 'Z' || i > 0 && c >= '0' && c <= '9') {
			return ""
		}
	}
	return string(line[:3])
}

// header reads MSH-1, which may be any punctuation, and MSH-2, from two to five
// others, all different.
func header(text []byte) (delimiters, bool) {
	if len(text) < 7 || string(text[:3]) != "MSH" || !punctuation(text[3]) {
		return delimiters{}, false
	}
	d := delimiters{field: text[3]}
	const longest = 24 // with what escapes its characters
	enc, _, found := bytes.Cut(text[4:min(len(text), 4+longest)], text[3:4])
	if !found {
		return delimiters{}, false
	}
	enc = unescaped(enc)
	if len(enc) < 2 || len(enc) > 5 {
		return delimiters{}, false
	}
	for _, c := range enc {
		if !punctuation(c) {
			return delimiters{}, false
		}
	}
	d.component, d.repetition, d.sub = enc[0], enc[1], '&'
	if len(enc) > 3 {
		d.sub = enc[3]
	}
	return d, d.component != d.repetition
}

// unescaped undoes what JSON, SQL and XML do to MSH-2: ^~\\&, ^~\\\u0026, ^~\&amp;.
func unescaped(enc []byte) []byte {
	for _, e := range [...]struct{ written, means string }{{`\u0026`, "&"}, {`&amp;`, "&"}, {`&#38;`, "&"}, {`\\`, `\`}, {`\\`, `\`}} {
		if bytes.Contains(enc, []byte(e.written)) {
			enc = bytes.ReplaceAll(enc, []byte(e.written), []byte(e.means))
		}
	}
	return enc
}

func punctuation(c byte) bool {
	return c > ' ' && c < 0x7F && !(c >= '0' && c <= '9') && !(c|0x20 >= 'a' && c|0x20 <= 'z')
}

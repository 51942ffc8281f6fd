package format

import (
	"bytes"
	"strings"
)

// x12Elements are the elements of a segment, its name the element 0. Nothing
// beyond NM109 is looked at.
type x12Elements [10][]byte

func x12Split(segment []byte, el byte) (e x12Elements) {
	for i := range e {
		end := bytes.IndexByte(segment, el)
		if end < 0 {
			e[i] = segment
			break
		}
		e[i], segment = segment[:end], segment[end+1:]
	}
	return e
}

// x12Name is the identifier of a segment, empty for what is none.
func x12Name(segment []byte, el byte) string {
	n := bytes.IndexByte(segment, el)
	if n < 0 {
		n = len(segment)
	}
	if n < 2 || n > 3 || !letter(segment[0]) {
		return ""
	}
	for _, c := range segment[1:n] {
		if !letter(c) && !(c >= '0' && c <= '9') {
			return ""
		}
	}
	return string(segment[:n])
}

// x12Clean takes off what stands between segments beside their terminator: line
// ends, also as \n within strings, and what joins strings in a program. Within a
// segment line ends go, since some systems write lines of 80 bytes.
func x12Clean(segment []byte, term byte, scratch *[]byte) []byte {
	if term == '\\' && len(segment) > 0 && (segment[0] == 'n' || segment[0] == 'r') {
		segment = segment[1:]
	}
	for len(segment) > 0 {
		switch c := segment[0]; {
		case c <= ' ' || c == '"' || c == '\'' || c == '+' || c == 0x7F:
			segment = segment[1:]
			continue
		case c == '\\' && len(segment) > 1 && (segment[1] == 'n' || segment[1] == 'r' || segment[1] == '\\'):
			segment = segment[2:]
			continue
		}
		break
	}
	segment = bytes.TrimRight(segment, " \t\r\n")
	if bytes.IndexByte(segment, '\n') < 0 && bytes.IndexByte(segment, '\r') < 0 {
		return segment
	}
	out := (*scratch)[:0]
	for _, c := range segment {
		if c != '\n' && c != '\r' {
			out = append(out, c)
		}
	}
	*scratch = out
	return out
}

// x12Terminator tells what ends a segment from a text that begins with a header
// and ends with a delimiter of elements: what stands before the second
// segment, if its name is what the text ends with; 0 if not.
func x12Terminator(text []byte, el byte) byte {
	body := text[:len(text)-1]
	n := len(body)
	for n > 0 && len(body)-n < 4 && (letter(body[n-1]) || body[n-1] >= '0' && body[n-1] <= '9') {
		n--
	}
	if !x12Known(string(body[n:])) {
		return 0
	}
	first, ends := withoutEnds(body[:n])
	if len(first) < len("ST*837") {
		return 0
	}
	c := first[len(first)-1]
	// ISA16, the delimiter of components, may stand at the end of its line.
	component := ends != 0 && string(first[:3]) == "ISA" && len(first)-1-bytes.LastIndexByte(first, el) == 1
	if c == el || component || !punctuationOrControl(c) {
		return ends
	}
	return c
}

// withoutEnds takes blanks and line ends off the end, and says with which of
// them lines end: \n, \r, or a backslash for what stands for one in a string.
func withoutEnds(text []byte) (rest []byte, ends byte) {
	for n := len(text); n > 0; n = len(text) {
		switch c := text[n-1]; {
		case c == '\n' || c == '\r' && ends != '\n':
			ends = c
		case c == ' ' || c == '\t' || c == '\r':
		case (c == 'n' || c == 'r') && n > 1 && text[n-2] == '\\':
			text = text[:n-1]
			ends = '\\'
		default:
			return text, ends
		}
		text = text[:len(text)-1]
	}
	return text, ends
}

// x12Likely is what probably ends segments where only one is known.
func x12Likely(text []byte, el byte) byte {
	for _, term := range []byte{'~', '\n', '\r'} {
		if term != el && bytes.IndexByte(text, term) >= 0 {
			return term
		}
	}
	return '\n'
}

// x12Known says whether a name is that of a segment which can follow a header
// or a name in the transactions of health care.
func x12Known(name string) bool {
	const known = " GS ST TA1 BHT BPR BGN TRN REF DTP DTM HL N1 N2 N3 N4 NM1 DMG PER INS SBR PAT CLM CLP HI EQ EB STC SVC CAS AMT QTY MIA MOA" +
		" LX SE GE IEA PRV HD COB OI LS LE UM HCR HSD CL1 CN1 ENT RMR ACT TS3 CUR AAA MSG III K3 NTE PWK LUI ICM EC HLH LQ SV1 SV2 SV3 "
	return len(name) >= 2 && len(name) <= 3 && strings.Contains(known, " "+name+" ")
}

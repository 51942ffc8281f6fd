package format_test

import (
	"strings"
	"testing"

	"github.com/phigate/phigate/policy/detect/detecttest"
	"github.com/phigate/phigate/policy/detect/format"
)

const message = "MSH|^~\\&|ADT|HOSP|EHR|HOSP|20260301120000||ADT^A01|26|P|2.5.1\r" +
	"EVN|A01|20260301120000\r" +
	"PID|1||33619778^^^HOSP^MR~445776216^^^SSA^SS||Pagac^Caleb||19710516|M|||433 Mertz Crossroad^^Taunton^MA\r" +
	"PV1|1|I\r"

// other is about someone else.
var other = strings.NewReplacer("33619778", "40296060", "Pagac^Caleb", "Spinka^Merle").Replace(message)

func TestHL7v2_accept(t *testing.T) {
	sample := "FHS|^~\\&|x\rBHS|^~\\&|x\r" + message + other + message + "BTS|3\rFTS|1\r"
	detecttest.Accept(t, format.HL7v2(), []byte(sample), "/var/spool/in.hl7",
		detecttest.Secrets("33619778", "Pagac", "Caleb", "19710516", "445776216", "Mertz Crossroad", "40296060", "Spinka", "Merle"),
		detecttest.Padding([]byte(strings.Repeat("log line with MSH in it\n", 500)), []byte("\nend of the log\n")),
		detecttest.UTF16(), detecttest.People(2))
}

func TestHL7v2_accept_mllp(t *testing.T) {
	sample := "received: \v" + message + "\x1c\r2026 received: \v" + other + "\x1c\r"
	detecttest.Accept(t, format.HL7v2(), []byte(sample), "/var/log/mllp.log",
		detecttest.Secrets("33619778", "Pagac", "Caleb"), detecttest.UTF16(), detecttest.People(2))
}

func TestHL7v2(t *testing.T) {
	with := func(pairs ...string) string { return strings.NewReplacer(pairs...).Replace(message) }
	pid := func(segment string) string { return "MSH|^~\\&|A|B|C|D|2026||ADT^A01|1|P|2.3\r" + segment + "\r" }
	for name, c := range map[string]struct {
		content       string
		pids, persons int
	}{
		"cr":                   {message, 1, 1},
		"lf":                   {with("\r", "\n"), 1, 1},
		"crlf":                 {with("\r", "\r\n"), 1, 1},
		"bom":                  {"\uFEFF" + message, 1, 1},
		"bom_each":             {"\uFEFF" + message + "\uFEFF" + other, 2, 2},
		"caret_separates":      {"MSH^~|\\&^A^B^C^D^2026^^ADT|A01^1^P^2.3\rPID^1^^12345~~~H^^Doe~Jane\r", 1, 1},
		"other_separators":     {with("|", "#", "^", ":"), 1, 1},
		"five_encodings":       {with("^~\\&", "^~\\&#"), 1, 1},
		"pid_on_the_same_line": {"MSH|^~\\&|A|B|C|D|2026||ADT^A01|1|P|2.3 PID|1||12345^^^H||Doe^Jane\r", 1, 1},
		"repeated_person":      {message + message + message, 3, 1},
		"two_people":           {message + other, 2, 2},
		"other_assigner":       {message + with("HOSP^MR", "CLINIC^MR"), 2, 2},
		"record_number_first":  {pid("PID|1||445776216^^^SSA^SS~33619778^^^HOSP^MR||A^B") + message, 2, 1},
		"id_alone":             {pid("PID|1||12345"), 1, 1},
		"old_id_alone":         {pid("PID|1|12345"), 1, 1},
		"ssn_alone":            {pid("PID|1||||||||||||||||||237-96-2820"), 1, 1},
		"name_alone":           {pid("PID|||||Doe^Jane"), 1, 1},
		"indented":             {pid("  PID|1||12345"), 1, 1},
		"wrapped_text":         {pid("NTE|1||several\rlines of\rtext\rPID|1||12345"), 1, 1},
		"query_2_3":            {pid("QRD|2026|R|I|1|||1^RD|12345^Doe^Jane|DEM"), 1, 1},
		"query_2_5":            {pid("QPD|Q22^Find|1|@PID.5.1^Doe~@PID.5.2^Jane"), 1, 1},
		"deep_in_a_file":       {strings.Repeat("nothing of interest, MSHA\n", 40_000) + message, 1, 1},

		"header_alone":                {pid("EVN|A01|2026"), 0, 0},
		"empty_patient":               {pid("PID|1||\"\"||\"\"^\"\""), 0, 0},
		"zeros":                       {pid("PID|1||000000||^"), 0, 0},
		"template":                    {pid("PID|1||{{id}}||{{last}}^{{first}}"), 0, 0},
		"patient_alone":               {"PID|1||12345^^^H||Doe^Jane\r", 0, 0},
		"after_batch":                 {pid("BTS|1\rPID|1||12345"), 0, 0},
		"within_a_line":               {"a string MSH|^~\\&|A|B\rPID|1||12345\r", 0, 0},
		"within_a_line_after_another": {"xMSH567890MSH|^~\\&|A\rPID|1||12345\r", 0, 0},
		"word":                        {"MSHELL||x|\rPID|1||12345\r", 0, 0},
		"far_away":                    {"MSH|^~\\&|is how a header begins\n" + strings.Repeat("text\n", 200) + "PID|1||12345\n", 0, 0},
		"provider_query":              {pid("QRD|2026|R|I|1|||1^RD|12345|DEM"), 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			for _, size := range []int{len(c.content), 4096, 5} {
				got := detecttest.Run(format.HL7v2(), "/a", []byte(c.content), size)
				switch {
				case got.Finding == nil && c.pids > 0:
					t.Errorf("windows of %d: nothing found", size)
				case got.Finding != nil && (got.Finding.Count != c.pids || got.Finding.Individuals.Point != c.persons):
					t.Errorf("windows of %d: %d patients of %d people, want %d of %d", size, got.Finding.Count, got.Finding.Individuals.Point, c.pids, c.persons)
				}
			}
		})
	}
}

// FuzzHL7v2: no panic, and the same answer however the file is cut.
func FuzzHL7v2(f *testing.F) {
	f.Add([]byte(message+other), uint8(3))
	f.Add([]byte("xx\vMSH|^~\\&|PID|1||12345\r"), uint8(0))
	f.Add([]byte("y\uFEFFMSH|^~\\&|A\rPID|1||12345\r"), uint8(1))
	f.Add([]byte("MSMSH|^~\\&|\n\uFEFFMSH^~|\\&^\rPID^1^^12345\r"), uint8(4))
	f.Add([]byte("\xFE\xFF\x00M\x00S\x00H\x00|\x00^\x00~\x00|\x00\r\x00P\x00I\x00D\x00|\x001\x00|\x00|\x001"), uint8(2))
	f.Fuzz(func(t *testing.T, content []byte, size uint8) {
		whole := detecttest.Run(format.HL7v2(), "/a", content)
		parts := detecttest.Run(format.HL7v2(), "/a", content, int(size)+1)
		if (whole.Finding == nil) != (parts.Finding == nil) || whole.Finding != nil && *whole.Finding != *parts.Finding {
			t.Errorf("windows of %d bytes change the result", int(size)+1)
		}
	})
}

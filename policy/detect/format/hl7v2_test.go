package format_test

import (
	"strings"
	"testing"

	"github.com/phigate/phigate/policy/detect"
	"github.com/phigate/phigate/policy/detect/detecttest"
	"github.com/phigate/phigate/policy/detect/format"
)

const message = "MSH|^~\\&|ADT|HOSP|EHR|HOSP|20260301120000||ADT^A01|26|P|2.5.1\r" +
	"EVN|A01|20260301120000\r" +
	"PID|1||33619778^^^HOSP^MR~445776216^^^SSA^SS||Pagac^Caleb||19710516|M|||433 Mertz Crossroad^^Taunton^MA\r" +
	"PV1|1|I\r"

// other is about someone else.
var other = strings.NewReplacer("33619778", "40296060", "445776216", "445776217", "Pagac^Caleb", "Spinka^Merle").Replace(message)

func TestHL7v2_accept(t *testing.T) {
	sample := "FHS|^~\\&|x\rBHS|^~\\&|x\r" + message + other + message + "BTS|3\rFTS|1\r"
	detecttest.Accept(t, format.HL7v2(), []byte(sample), "/var/spool/in.hl7",
		detecttest.Secrets("33619778", "Pagac", "Caleb", "19710516", "445776216", "Mertz Crossroad", "40296060", "Spinka", "Merle"),
		detecttest.Padding([]byte(strings.Repeat("log line with MSH in it\n", 50)), []byte("\nend of the log\n")),
		detecttest.UTF16(), detecttest.People(2))
}

func TestHL7v2_accept_mllp(t *testing.T) {
	sample := "received: \v" + message + "\x1c\r2026 received: \v" + other + "\x1c\r"
	detecttest.Accept(t, format.HL7v2(), []byte(sample), "/var/log/mllp.log",
		detecttest.Secrets("33619778", "Pagac", "Caleb"), detecttest.UTF16(), detecttest.People(2))
}

func TestHL7v2_accept_json(t *testing.T) {
	escape := strings.NewReplacer("\\", "\\\\", "\r", "\\r").Replace
	sample := `[{"id":1,"raw":"` + escape(message) + `"},{"id":2,"raw":"` + escape(other) + `"}]`
	detecttest.Accept(t, format.HL7v2(), []byte(sample), "/srv/queue.json",
		detecttest.Secrets("33619778", "Pagac", "Caleb"), detecttest.Padding([]byte(`{"a":"b"}`), []byte(`{"c":"d"}`)), detecttest.People(2))
}

func TestHL7v2(t *testing.T) {
	with := func(pairs ...string) string { return strings.NewReplacer(pairs...).Replace(message) }
	pid := func(segment string) string { return "MSH|^~\\&|A|B|C|D|2026||ADT^A01|1|P|2.3\r" + segment + "\r" }
	orphan := "PID|1||33619778^^^HOSP^MR||Pagac^Caleb||19710516|M"
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
		"pid_on_the_same_line": {"MSH|^~\\&|A|B|C|D|2026||ADT^A01|1|P|2.3 PID|2||12345^^^H||Doe^Jane\r", 1, 1},
		"all_on_one_line":      {with("\r", " "), 1, 1},
		"no_ends_at_all":       {with("\r", ""), 1, 1},
		"repeated_person":      {message + message + message, 3, 1},
		"two_people":           {message + other, 2, 2},
		"other_assigner":       {pid("PID|1||12345^^^HOSP^MR") + pid("PID|1||12345^^^CLINIC^MR"), 2, 2},
		"same_ssn":             {message + with("33619778", "7123", "HOSP^MR", "CLINIC^MR"), 2, 1},
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
		"within_a_line":        {"2026-03-01 INFO received MSH|^~\\&|A|B\rPID|1||12345\r", 1, 1},

		"json":                {`{"hl7":"` + with("\\", "\\\\", "\r", "\\r") + `"}`, 1, 1},
		"json_of_go":          {`{"hl7":"` + with("\\", "\\\\", "&", "\\u0026", "\r", "\\r") + `"}`, 1, 1},
		"json_newline":        {`{"hl7":"` + with("\\", "\\\\", "\r", "\\r\\n") + `"}`, 1, 1},
		"json_in_json":        {`{"a":"{\"hl7\":\"` + with("\\", "\\\\\\\\", "\r", "\\\\r") + `\"}"}`, 1, 1},
		"json_number":         {`{"hl7":"` + with("\\", "\\\\", "\r", "\\u000d") + `"}`, 1, 1},
		"json_many":           {`[` + strings.Repeat(`"`+with("\\", "\\\\", "\r", "\\r")+`",`, 400) + `]`, 400, 1},
		"sql":                 {`INSERT INTO m VALUES (1,'` + with("\\", "\\\\", "\r", "\\r") + `'),(2,'x');`, 1, 1},
		"sql_line_ends":       {`INSERT INTO m VALUES (1,'` + message + `'),(2,'x');`, 1, 1},
		"copy":                {"1\t" + with("\\", "\\\\", "\r", "\\r") + "\t2026-03-01\n", 1, 1},
		"xml":                 {"<msg>" + with("&", "&amp;", "\r", "&#xD;") + "</msg>", 1, 1},
		"xml_lines":           {"<msg>" + with("&", "&amp;", "\r", "\n") + "</msg>", 1, 1},
		"syslog":              {"Mar  1 12:00:00 host app: " + with("\r", "#015"), 1, 1},
		"python":              {`b'\x0b` + with("\\", "\\\\", "\r", "\\x0d") + `\x1c'`, 1, 1},
		"marked_ends":         {"got " + with("\r", "<CR>"), 1, 1},
		"csv":                 {"1,\"" + message + "\",x\n2,\"" + other + "\",y\n", 2, 2},
		"program":             {"var m = \"MSH|^~\\\\&|A|B\\r\" +\n\t\"PID|1||12345^^^H||Doe^Jane\\r\" +\n\t\"PV1|1\"\n", 1, 1},
		"header_lost":         {"log rotated\n" + orphan + "\nPV1|1|I\n" + message, 2, 1},
		"header_lost_by_zero": {"\x00\x00" + orphan + "\x00", 1, 1},

		"header_alone":      {pid("EVN|A01|2026"), 0, 0},
		"empty_patient":     {pid("PID|1||\"\"||\"\"^\"\""), 0, 0},
		"zeros":             {pid("PID|1||000000||^"), 0, 0},
		"template":          {pid("PID|1||{{id}}||{{last}}^{{first}}"), 0, 0},
		"birth_date_alone":  {pid("PID|1||||||19710516|M"), 0, 0},
		"patient_alone":     {"PID|1||12345^^^H||Doe^Jane\r", 0, 0},
		"after_batch":       {pid("BTS|1\rPID|1||12345"), 0, 0},
		"word":              {"MSHELL||x|\rPID|1||12345\r", 0, 0},
		"far_away":          {"MSH|^~\\&|is how a header begins\n" + strings.Repeat("text\n", 200) + "PID|1||12345\n", 0, 0},
		"far_away_in_bytes": {"MSH|^~\\&|is how a header begins\n" + strings.Repeat("long text ", 60_000) + "\nPID|1||12345\n", 0, 0},
		"provider_query":    {pid("QRD|2026|R|I|1|||1^RD|12345|DEM"), 0, 0},
		"kin_and_insurance": {pid("NK1|1|Doe^John\rGT1|1||Doe^Jim\rIN1|1|A|B|||||||||||||Doe^Joe\rOBX|1|TX|||Doe^Jane"), 0, 0},
		"other_pid":         {"PID||cpu|mem|name^x|2026|123\n", 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			for _, size := range []int{len(c.content), 4096, 5} {
				same(t, format.HL7v2(), c.content, size, c.pids, c.persons)
			}
		})
	}
}

// same wants so many records of so many people under the detector's own rule.
func same(t *testing.T, d detect.Detector, content string, size, records, persons int) {
	t.Helper()
	got := detecttest.Run(d, "/a", []byte(content), size).Of(d.ID)
	switch {
	case got == nil && records > 0:
		t.Errorf("windows of %d: nothing found", size)
	case got != nil && (got.Count != records || got.Individuals.Point != persons):
		t.Errorf("windows of %d: %d records of %d people, want %d of %d", size, got.Count, got.Individuals.Point, records, persons)
	}
}

func FuzzHL7v2(f *testing.F) {
	detecttest.Fuzz(f, format.HL7v2(), message+other,
		"xx\vMSH|^~\\&|PID|1||12345\r",
		"y\uFEFFMSH|^~\\&|A\rPID|1||12345\r",
		"MSMSH|^~\\&|\n\uFEFFMSH^~|\\&^\rPID^1^^12345\r",
		"{\"a\":\"MSH|^~\\\\\\u0026|\\rPID|1||12345\\r\"",
		"PID|1||1^^^H^MR||Doe^Jane||19710516|F\r",
		"\xFE\xFF\x00M\x00S\x00H\x00|\x00^\x00~\x00|\x00\r\x00P\x00I\x00D\x00|\x001\x00|\x00|\x001",
		"\xFE\xFF\xD4\xD4\xD4\xD4\xD4\xD4\xD4\xD4\x00M\x00S\x00H\x00|\x00^\x00~\x00|\x00\r\x00P\x00I\x00D\x00|\x001\x00|\x80|")
}

package format_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/phigate/phigate/policy/detect/detecttest"
	"github.com/phigate/phigate/policy/detect/format"
)

const (
	zwr = "VistA export\n01-MAR-2026 ZWR\n" +
		"^DPT(0)=\"PATIENT^2I^2^2\"\n" +
		"^DPT(1,0)=\"PAGAC,CALEB T^M^2710516^^2^^^^445776216^^TAUNTON\"\n" +
		"^DPT(1,.11)=\"433 MERTZ CROSSROAD^^^TAUNTON^25^02780\"\n" +
		"^DPT(2,0)=\"SPINKA,MERLE^F^2650102^^2^^^^237962820\"\n" +
		"^DPT(\"B\",\"PAGAC,CALEB T\",1)=\"\"\n" +
		"^DPT(\"B\",\"SPINKA,MERLE\",2)=\"\"\n" +
		"^DPT(\"SSN\",445776216,1)=\"\"\n" +
		"^DPT(\"SSN\",\"237962820\",2)=\"\"\n" +
		"^AUPNPAT(1,41,4585,0)=\"4585^103456\"\n"
	globalOutput = "VistA export\n1 MAR 2026\n^DPT(1,0)\nPAGAC,CALEB T^M^2710516^^2^^^^445776216\n^DPT(1,.11)\n433 MERTZ CROSSROAD^^^TAUNTON\n" +
		"^DPT(\"B\",\"PAGAC,CALEB T\",1)\n\n^DPT(\"SSN\",445776216,1)\n\n*\n"
)

func TestMumps_accept(t *testing.T) {
	detecttest.Accept(t, format.Mumps(), []byte(zwr), "/srv/vista/DPT.zwr",
		detecttest.Secrets("PAGAC", "CALEB", "2710516", "445776216", "SPINKA", "MERLE", "237962820", "103456"),
		detecttest.Padding([]byte("set\n"), []byte("^DIC(4,1,0)=\"TAUNTON\"\n")), detecttest.UTF16(), detecttest.People(2))
}

func TestMumps_accept_global_output(t *testing.T) {
	detecttest.Accept(t, format.Mumps(), []byte(globalOutput), "/srv/vista/DPT.go",
		detecttest.Secrets("PAGAC", "CALEB", "445776216"), detecttest.People(1))
}

func TestMumps(t *testing.T) {
	node := func(value string) string { return "^DPT(7,0)=\"" + value + "\"\n" }
	for name, c := range map[string]struct {
		content          string
		records, persons int
	}{
		"zwr":             {zwr, 7, 2},
		"zwr_crlf":        {strings.ReplaceAll(zwr, "\n", "\r\n"), 7, 2},
		"go":              {globalOutput, 3, 1},
		"go_crlf":         {strings.ReplaceAll(globalOutput, "\n", "\r\n"), 3, 1},
		"go_truncated":    {"^DPT(1,0)\nPAGAC,CALEB T^M^2710516", 1, 1},
		"year_in_full":    {node("PAGAC,CALEB^M^19710516^^"), 1, 1},
		"no_birth_date":   {node("PAGAC,CALEB^M^^^^^^^445776216"), 1, 1},
		"pseudo_ssn":      {node("PAGAC,CALEB^M^2710516^^^^^^000003322P"), 1, 1},
		"program":         {"SEED ; data\n S ^DPT(1,0)=\"PAGAC,CALEB^M^2710516\"\n Q\n", 1, 1},
		"chart_number":    {"^AUPNPAT(1,41,4585,0)=\"4585^103456\"\n", 1, 1},
		"name_alone":      {node("PAGAC,CALEB^M"), 0, 0},
		"not_a_name":      {node("TYPE OF PATIENT^M^2710516"), 0, 0},
		"header":          {"^DPT(0)=\"PATIENT^2I^2^2\"\n", 0, 0},
		"reference":       {" S X=$G(^DPT(1,0)) I ^DPT(7,0)]\"\" S Y=^DPT(\"B\",NAME,0)\n", 0, 0},
		"comment":         {" ; as ^DPT(\"B\",\"HURRY,UP\",34544)=\"\" then\n", 0, 0},
		"address":         {"^DPT(1,.11)=\"433 MERTZ CROSSROAD^^^TAUNTON\"\n", 0, 0},
		"not_closed":      {"^DPT(1,0", 0, 0},
		"many_subscripts": {"^DPT(1,\"S\",2,3,4,0)=\"PAGAC,CALEB^M^2710516\"\n", 0, 0},
		"wrong_date":      {node("PAGAC,CALEB^M^2711316"), 0, 0},
		"staff":           {"^VA(200,1,0)=\"WELBY,MARCUS^MW^^^^2710516\"\n", 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			for _, size := range []int{len(c.content), 4096, 5} {
				same(t, format.Mumps(), c.content, size, c.records, c.persons)
			}
		})
	}
}

func TestMumps_thousand(t *testing.T) {
	var b strings.Builder
	for i := range 1200 {
		fmt.Fprintf(&b, "^DPT(%d,0)=\"PAGAC,C%d^M^2710516\"\n", i+1, i)
	}
	same(t, format.Mumps(), b.String(), 64<<10, 1200, 1200)
}

func FuzzMumps(f *testing.F) {
	detecttest.Fuzz(f, format.Mumps(), zwr, globalOutput, "^DPT(1,0)=\"", "^DPT(\"\",\"", "^AUPNPAT(1,41,,0)\n^", "^DPT(1)")
}

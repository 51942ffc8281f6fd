package phi_test

import (
	"strings"
	"testing"

	"github.com/phigate/phigate/policy/detect"
	"github.com/phigate/phigate/policy/detect/phi"
)

// BenchmarkDetectors measures what files cost that are full of what the detectors
// look for, and files that only look so.
func BenchmarkDetectors(b *testing.B) {
	repeat := func(text string) string { return strings.Repeat(text, 1<<20/len(text)+1) }
	for name, content := range map[string]string{
		"table":           patients + repeat("40296060,Spinka,Merle,1988-04-29,237-96-2820,J45.909\n"),
		"table_no_values": "mrn,last,dob\n" + repeat("a,b,c\n"),
		"headers_alone":   repeat("mrn,dob\n"),
		"header_words":    repeat("dob,"),
		"dump":            "CREATE TABLE p (mrn text, last_name text, dob date);\nINSERT INTO p VALUES " + repeat("('40296060','Spinka','1988-04-29'),\n"),
		"inserts":         repeat("INSERT INTO p (mrn,last_name,dob) VALUES ('40296060','Spinka','1988-04-29');\n"),
		"inserts_other":   repeat("INSERT INTO orders (id,amount,product,created_at,state) VALUES (7,12.5,'x','2024-01-01','new');\n"),
		"json":            "[" + repeat(`{"mrn":"40296060","lastName":"Spinka","dob":"1988-04-29"},`) + "{}]",
		"json_keys":       repeat(`"dob":`),
		"xml":             "<d>" + repeat(`<PATIENT PATIENT_ID="40296060" LAST_NAME="Spinka" BIRTH_DATE="1988-04-29"/>`) + "</d>",
		"log":             repeat(logged),
		"labels":          repeat("mrn "),
		"labels_valued":   repeat("dob=1980-02-01 "),
	} {
		b.Run(name, func(b *testing.B) {
			set, err := detect.NewSet([]detect.Detector{phi.Table(), phi.SQL(), phi.JSON(), phi.XML(), phi.Text(), phi.FileName()})
			if err != nil {
				b.Fatal(err)
			}
			scan := set.NewScan(func([]byte) (sum [16]byte) { return sum })
			data := []byte(content)
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				scan.Open("/srv/a", int64(len(data)))
				scan.Write(data)
				scan.Close()
			}
		})
	}
}

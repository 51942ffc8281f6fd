package detect_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/detect"
)

// kept is a piece of encoded content.
type kept struct {
	bytes.Buffer
	all *[]string
	at  string
}

func (k *kept) Close() error {
	*k.all = append(*k.all, k.at+" "+k.String())
	return nil
}

// decoding is a scan of a set that has nothing to find.
func decoding(t testing.TB) *detect.Scan {
	t.Helper()
	set, err := detect.NewSet([]detect.Detector{{Info: policy.Info{ID: "x"}, Anchors: []string{"XYZZY"}, Near: func(detect.Hit, *detect.Sink) {}}})
	if err != nil {
		t.Fatal(err)
	}
	set.Block = 1
	return set.NewScan(keyed)
}

// piecesOf are the decoded pieces of a text that comes in windows of a size.
func piecesOf(c *detect.Scan, text string, size int) (all []string) {
	c.Encoded = func(off int64, encoding string) io.WriteCloser {
		return &kept{all: &all, at: fmt.Sprintf("%s@%d", encoding, off)}
	}
	c.Open("/a", int64(len(text)))
	for rest := text; rest != ""; {
		n := min(size, len(rest))
		_, _ = c.Write([]byte(rest[:n]))
		rest = rest[n:]
	}
	c.Close()
	return all
}

const message = "MSH|^~\\&|A|B|C|D|20260101||ADT^A01|1|P|2.5\rPID|1||40296060^^^H^MR||Doe^Jane||19800201|F"

func encodedSamples(t testing.TB) map[string]struct{ text, want string } {
	b64 := base64.StdEncoding.EncodeToString([]byte(message))
	inJSON := func(s string) string {
		b, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	lines := ""
	for rest := b64; rest != ""; {
		n := min(76, len(rest))
		lines, rest = lines+rest[:n]+"\r\n", rest[n:]
	}
	resource := `{"resourceType":"Patient","birthDate":"1980-02-01"}`
	cda := `<ClinicalDocument xmlns="urn:hl7-org:v3"><id extension="a&amp;b"/></ClinicalDocument>`
	escaped := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;").Replace(cda)
	return map[string]struct{ text, want string }{
		"data_url":      {`<a href="data:text/plain;base64,` + b64 + `">`, "base64@32 " + message},
		"fhir":          {`{"contentType":"x","data":"` + b64 + `"}`, "base64@27 " + message},
		"fhir_indented": {"{\n  \"data\" : \"" + b64 + "\"}", "base64@14 " + message},
		"fhir_xml":      {`<data value="` + b64 + `"/>`, "base64@13 " + message},
		"escaped":       {`{"data":"` + strings.ReplaceAll(b64[:60]+"\\r\\n"+b64[60:], "/", `\/`) + `"}`, "base64@9 " + message},
		"url_alphabet":  {`{"data":"` + base64.RawURLEncoding.EncodeToString([]byte(message)) + `"}`, "base64@9 " + message},
		"mime":          {"Content-Type: x\r\nContent-Transfer-Encoding: base64\r\nX: y\r\n\r\n" + lines + "--b--\r\n", "base64@33 " + message},
		"cda":           {`<text mediaType="x" representation="B64">` + b64 + `</text>`, "base64@20 " + message},
		"hl7v2":         {`OBX|1|ED|x||^text^plain^Base64^` + b64 + "|||\r", "base64@31 " + message},
		"by_content":    {"note: " + b64 + "\n", "base64@6 " + message},
		"json":          {`{"a": 1, "body": ` + inJSON(resource) + `}`, "json@18 " + resource},
		"json_xml":      {`["` + "x" + `", ` + inJSON(cda) + `]`, "json@7 " + cda},
		"xml":           {`<body>` + escaped + `</body>`, "xml@6 " + cda},
		"none":          {`{"data":"short","resourceType":"Patient"} <a b="&lt;">`, ""},
		"few_digits":    {`{"data":"QUJDREVGR0g="}`, ""},
	}
}

// TestEncoded: content is decoded wherever the windows' edges lie.
func TestEncoded(t *testing.T) {
	c := decoding(t)
	pad := strings.Repeat("a line of the file before it\n", 400)
	for name, s := range encodedSamples(t) {
		t.Run(name, func(t *testing.T) {
			for _, size := range []int{1, 7, 4096, 1 << 20} {
				if got := strings.Join(piecesOf(c, s.text, size), "\n"); got != s.want {
					t.Errorf("windows of %d: got %q, want %q", size, got, s.want)
				}
			}
			for cut := 0; cut < 300; cut += 37 { // over the edges of the buffer
				lead := pad[:len(pad)-300+cut]
				if got := piecesOf(c, lead+"\n"+s.text, 5000); len(got) != min(1, len(s.want)) || len(got) == 1 &&
					got[0][strings.IndexByte(got[0], ' '):] != s.want[strings.IndexByte(s.want, ' '):] {
					t.Errorf("behind %d bytes: %d pieces", len(lead)+1, len(got))
				}
			}
		})
	}
}

// TestEncodedOneAfterAnother: pieces within a piece are that piece's.
func TestEncodedOneAfterAnother(t *testing.T) {
	b64 := base64.StdEncoding.EncodeToString([]byte(strings.Repeat(";base64,QUJDREVGR0hJSktM ", 4000)))
	text := `{"data":"` + b64 + `"},` + strings.Repeat(`{"data":"`+base64.StdEncoding.EncodeToString([]byte(message))+`"},`, 3000)
	if got := piecesOf(decoding(t), text, 1<<20); len(got) != 3001 {
		t.Errorf("%d pieces, want 3001", len(got))
	}
}

// FuzzEncoded: no panic, the same pieces however the text is cut, none much
// longer than the text, each at a later place.
func FuzzEncoded(f *testing.F) {
	for _, c := range encodedSamples(f) {
		f.Add(c.text, uint16(9))
	}
	f.Add(`\"resourceType\" "\ud83d\uZZ\`+"\n&lt;ClinicalDocument &#x;&;&#99999999;<", uint16(3))
	c := decoding(f)
	f.Fuzz(func(t *testing.T, text string, size uint16) {
		whole, parts := piecesOf(c, text, len(text)+1), piecesOf(c, text, int(size)+1)
		if diff := cmp.Diff(whole, parts); diff != "" {
			t.Errorf("windows of %d change the pieces", int(size)+1)
		}
		if n := len(strings.Join(whole, "")); n > 2*len(text)+40*len(whole) {
			t.Errorf("%d bytes of %d", n, len(text))
		}
	})
}

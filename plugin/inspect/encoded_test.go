package inspect

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/phigate/phigate/plugin/inspect/expand"
	"github.com/phigate/phigate/plugin/rootfs"
	"github.com/phigate/phigate/policy/detect/format"
	"github.com/phigate/phigate/policy/detect/people"
)

// TestEncodedContent: what a file holds in an encoding is looked into like a file
// in a container, however it is wrapped and however long it is.
func TestEncodedContent(t *testing.T) {
	attached := func(text string) string {
		return `{"contentType":"x","data":"` + base64.StdEncoding.EncodeToString([]byte(text)) + `"}`
	}
	const line = "a line that stands before what is looked for\n"
	long := strings.Repeat(line, 80_000) + "MARK" // 3.6 MB: more than is held in memory
	deep := line + "MARK"
	for range 6 {
		deep = attached(deep)
	}
	inString, err := json.Marshal(`{"resourceType":"Binary","note":"MARK"}`)
	must(t, err)
	packed := string(gzipped(t, []byte(strings.Repeat(line, 50)+"MARK")))
	for name, c := range map[string]struct {
		content      string
		where, skips []string
		opened       int // containers that may be opened; 0: the usual number
	}{
		"attachment":           {attached(line + "MARK"), []string{"!base64@27"}, nil, 0},
		"packed_attachment":    {attached(packed), []string{"!base64@27!base64@27"}, nil, 0},
		"within_an_attachment": {attached(attached(line + "MARK")), []string{"!base64@27!base64@27"}, nil, 0},
		"json_in_a_string":     {`{"a":` + string(inString) + `}`, []string{"", "!json@6"}, nil, 0},
		"two":                  {attached(line+"MARK") + attached(line+"MARK"), []string{"!base64@124", "!base64@27"}, nil, 0},
		"long":                 {attached(long), []string{"!base64@27"}, nil, 0},
		"too_deep":             {deep, nil, []string{"!base64@27!base64@27!base64@27!base64@27: nested more than 4 deep"}, 0},
		"damaged":              {attached(packed[:30]), nil, []string{"!base64@27: truncated gzip stream"}, 0},
		"not_decoded":          {attached(line + "MARK"), nil, []string{": encoded content is not decoded"}, -1},
	} {
		t.Run(name, func(t *testing.T) {
			d := t.TempDir()
			write(t, d+"/a.json", c.content)
			sc := &Scanner{Detectors: setOf(t, marker("mark", nil)), Keyed: hmacKeyed, Expand: expand.Defaults()}
			sc.Expand.Spool = t.TempDir()
			if c.opened < 0 {
				sc.Expand.Depth = 0
			}
			s := store(t)
			w, err := s.Begin("k")
			must(t, err)
			facts, err := sc.Scan(t.Context(), rootfs.Dir(d), w, nil)
			must(t, err)
			w.Abort()
			var where, skips []string
			for _, at := range fullPaths(facts.Findings) {
				where = append(where, strings.TrimPrefix(at, "/a.json"))
			}
			for _, k := range facts.Skipped {
				skips = append(skips, strings.TrimPrefix(k.Where, "/a.json")+": "+k.Reason)
			}
			if diff := cmp.Diff(c.where, where); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.skips, skips); diff != "" {
				t.Errorf("skipped (-want +got):\n%s", diff)
			}
		})
	}
}

// TestEncodedContentInContainers: the same within archives and tables' long cells.
func TestEncodedContentInContainers(t *testing.T) {
	text := `{"data":"` + base64.StdEncoding.EncodeToString([]byte("a line that stands before it\nMARK")) + `"}`
	d := t.TempDir()
	write(t, d+"/a.tar.gz", string(gzipped(t, tarred(t, "b.json", text, "c.json", text))))
	write(t, d+"/a.zip", string(zipped(t, "b.json", []byte(text))))
	write(t, d+"/plain", "nothing")
	s := store(t)
	facts := scanTree(t, s, "k", rootfs.Dir(d), marker("mark", nil))
	want := []string{"/a.tar.gz!b.json!base64@9", "/a.tar.gz!c.json!base64@9", "/a.zip!b.json!base64@9"}
	if diff := cmp.Diff(want, fullPaths(facts.Findings)); diff != "" || len(facts.Skipped) > 0 {
		t.Errorf("%d skipped; findings (-want +got):\n%s", len(facts.Skipped), diff)
	}
}

// TestDocumentInAString: a document's elements stand in a string of JSON as they
// are, so that they can be seen from outside, too: each patient is found once,
// within the string where that is opened and whole, else from outside.
func TestDocumentInAString(t *testing.T) {
	patient := func(number string) string {
		return `<recordTarget><patientRole><id extension="` + number + `" root="1.2"/><patient><name><given>Ottilie</given>` +
			`<family>Vandersloot</family></name></patient></patientRole></recordTarget>`
	}
	document := func(text string) string {
		return `<ClinicalDocument xmlns="urn:hl7-org:v3">` + text + `</ClinicalDocument>`
	}
	quoted := func(text string) string {
		b, err := json.Marshal(text)
		must(t, err)
		return strings.NewReplacer(`\u003c`, "<", `\u003e`, ">").Replace(string(b))
	}
	long := quoted(document(strings.Repeat("<component>of the document</component>", 20_000) + patient("M8842107")))
	pieces := `"` + strings.Join(strings.SplitAfter(strings.Trim(quoted(document(patient("M8842107"))), `"`), "/>"), "\" +\n\"") + `"`
	for name, c := range map[string]struct {
		content string
		shut    bool
		where   []string
		people  int
	}{
		"one":         {`{"a":` + quoted(document(patient("M8842107"))) + `}`, false, []string{"!json@6"}, 1},
		"long":        {`{"a":` + long + `}`, false, []string{"!json@6"}, 1},
		"of_two":      {`{"a":` + quoted(document(patient("M8842107")+patient("M8842108"))) + `}`, false, []string{"!json@6"}, 2},
		"many":        {strings.Repeat(`{"a":`+quoted(document(patient("M8842107")))+"}\n", 3), false, []string{"!json@256", "!json@506", "!json@6"}, 1},
		"and_outside": {`{"a":` + quoted(document("-")) + `}` + document(patient("M8842107")), false, []string{""}, 1},
		"in_pieces":   {"a = " + pieces, false, []string{"", "!json@5"}, 1},
		"not_opened":  {`{"a":` + quoted(document(patient("M8842107"))) + `}`, true, []string{""}, 1},
		"no_root":     {`{"a":` + quoted(patient("M8842107")) + `}`, false, []string{""}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			d := t.TempDir()
			write(t, d+"/a.json", c.content)
			sc := &Scanner{Detectors: setOf(t, format.CDA()), Keyed: hmacKeyed, Expand: expand.Defaults()}
			sc.Expand.Spool = t.TempDir()
			if c.shut {
				sc.Expand.Depth = 0
			}
			w, err := store(t).Begin("k")
			must(t, err)
			facts, err := sc.Scan(t.Context(), rootfs.Dir(d), w, nil)
			must(t, err)
			w.Abort()
			var where []string
			for _, at := range fullPaths(facts.Findings) {
				where = append(where, strings.TrimPrefix(at, "/a.json"))
			}
			if diff := cmp.Diff(c.where, where); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
			var who people.Set
			must(t, who.UnmarshalBinary(facts.People))
			if got := who.Estimate().Point; got != c.people {
				t.Errorf("%d people, want %d", got, c.people)
			}
		})
	}
}

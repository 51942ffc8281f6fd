package export

import (
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/phigate/phigate/plugin/report"
	"github.com/phigate/phigate/policy"
)

// The keys of the ArcSight Common Event Format that we use, with the longest value
// of its implementation standard's dictionary (document version 27); numbers and
// times by what they can be.
var cefKeys = map[string]int{
	"rt": 40, "externalId": 40, "act": 63, "outcome": 63, "cat": 1023, "deviceProcessName": 1023, "dvchost": 100, "deviceExternalId": 255, "suser": 1023, "msg": 1023, "filePath": 1023,
	"cs1": 4000, "cs2": 4000, "cs3": 4000, "cs4": 4000, "cs5": 4000, "cs6": 4000,
	"cs1Label": 1023, "cs2Label": 1023, "cs3Label": 1023, "cs4Label": 1023, "cs5Label": 1023, "cs6Label": 1023,
	"cn1": 19, "cn2": 19, "cn3": 19, "cn1Label": 1023, "cn2Label": 1023, "cn3Label": 1023,
}

// A key begins the extension or follows a blank, and ends at an equals sign that
// no backslash escapes.
var cefKey = regexp.MustCompile(`(?:^| )([A-Za-z0-9]+)=`)

// parseCEF reads a line as a receiver does.
func parseCEF(t *testing.T, line string) (header []string, values map[string]string) {
	t.Helper()
	var field strings.Builder
	rest := line
	for len(header) < 7 {
		switch {
		case rest == "":
			t.Fatalf("%d header fields", len(header))
		case strings.HasPrefix(rest, `\\`), strings.HasPrefix(rest, `\|`):
			field.WriteByte(rest[1])
			rest = rest[2:]
		case rest[0] == '|':
			header = append(header, field.String())
			field.Reset()
			rest = rest[1:]
		default:
			field.WriteByte(rest[0])
			rest = rest[1:]
		}
	}
	values = map[string]string{}
	places := cefKey.FindAllStringSubmatchIndex(rest, -1)
	for i, p := range places {
		end := len(rest)
		if i+1 < len(places) {
			end = places[i+1][0]
		}
		key := rest[p[2]:p[3]]
		if _, twice := values[key]; twice {
			t.Errorf("%s comes twice", key)
		}
		values[key] = strings.NewReplacer(`\\`, `\`, `\=`, `=`, `\n`, "\n", `\r`, "\r").Replace(rest[p[1]:end])
	}
	return header, values
}

func checkCEF(t *testing.T, e report.Entry) map[string]string {
	t.Helper()
	header, values := parseCEF(t, cef(e))
	if header[0] != "CEF:0" || header[4] != strings.NewReplacer("\n", " ", "\r", " ").Replace(e.Kind) {
		t.Errorf("header %q", header)
	}
	if n, err := strconv.Atoi(header[6]); err != nil || n < 0 || n > 10 {
		t.Errorf("severity %q", header[6])
	}
	for key, value := range values {
		limit, known := cefKeys[key]
		if !known || len(value) > limit || value == "" {
			t.Errorf("%s: known %v, %d bytes", key, known, len(value))
		}
		if label := key + "Label"; strings.HasPrefix(key, "c") && cefKeys[label] > 0 && values[label] == "" {
			t.Errorf("%s has no label", key)
		}
	}
	return values
}

func TestCEF(t *testing.T) {
	for _, e := range records() {
		values := checkCEF(t, e)
		if values["externalId"] != strconv.FormatUint(e.Seq, 10) || values["cs1"] != e.LogID || values["cs2"] != e.Leaf {
			t.Errorf("record %d: the proof did not come through", e.Seq)
		}
		if strings.ContainsAny(e.Image, "|=\n") && values["cs5"] != e.Image+" "+e.ImageDigest {
			t.Errorf("record %d: escapes do not read back", e.Seq)
		}
	}
}

// FuzzCEF: whatever a pod's author writes stays within its value.
func FuzzCEF(f *testing.F) {
	f.Add("app", "img=1|2", "/a b=c\\", "verdict")
	f.Add("x\r\nCEF:0|a|b|c|d|e|10|", "act=allowed", " externalId=1", "start")
	f.Add(strings.Repeat("é", 3000), strings.Repeat(`\`, 2000), "\\", "bypass")
	f.Fuzz(func(t *testing.T, target, image, path, kind string) {
		e := report.Entry{LogID: "log", Seq: 7, Leaf: "00", Decision: &policy.Decision{
			Kind: policy.Printable(kind), Target: policy.Printable(target), Image: policy.Printable(image),
			Findings: []policy.Record{{Rule: "r", Path: policy.Printable(path)}},
		}}
		values := checkCEF(t, e)
		if strings.ContainsAny(cef(e), "\r\n") || values["externalId"] != "7" {
			t.Error("a value left its place")
		}
	})
}

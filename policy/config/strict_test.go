package config

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/phigate/phigate/policy"
)

type settings struct {
	Socket string            `json:"socket"`
	Wait   time.Duration     `json:"wait"`
	Count  int               `json:"count"`
	Small  uint8             `json:"small"`
	On     bool              `json:"on,omitempty"`
	Mode   policy.Mode       `json:"mode"`
	List   []string          `json:"list"`
	Map    map[string]string `json:"map"`
	NRI    *struct {
		Name string `json:"name"`
	} `json:"nri"`
	embedded
	hidden string
}

type embedded struct {
	Inner string `json:"inner"`
}

func TestStrict(t *testing.T) {
	var got settings
	problems := Strict("phigated.yaml", []byte("\ufeff# a comment\r\nsocket: /run/x # and one more\r\nwait: 1m30s\ncount: -3\nsmall: 255\non: true\n"+
		"mode: audit\nlist:\n- 1.20\n- 'a''b'\n- \"c\\td\"\n- 0x10\n- yes\n- true\nmap: {a: \"1\", b.c/d: x}\nnri:\n  name: >-\n    two\n    words\ninner: i\n"), &got)
	if len(problems) != 0 {
		t.Fatalf("got %v", problems)
	}
	want := settings{
		Socket: "/run/x", Wait: 90 * time.Second, Count: -3, Small: 255, On: true, Mode: policy.AuditOnly,
		List: []string{"1.20", "a'b", "c\td", "0x10", "yes", "true"}, Map: map[string]string{"a": "1", "b.c/d": "x"},
		embedded: embedded{"i"},
	}
	want.NRI = got.NRI
	if got.NRI == nil || got.NRI.Name != "two words" {
		t.Error("nri.name is not read")
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(settings{}, embedded{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestStrictProblems(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"unknown_key", "sokcet: x\n", "f:1:1: unknown key `sokcet` (did you mean `socket`?)"},
		{"unknown_key_far", "zzzzzzzz: x\n", "f:1:1: unknown key `zzzzzzzz`; known here are socket, wait, count, small, on, mode, list, map, nri and inner"},
		{"misplaced_key", "name: x\n", "f:1:1: key `name` belongs below `nri`; check the indentation"},
		{"unexported", "hidden: x\n", "f:1:1: unknown key `hidden`; known here are socket, wait, count, small, on, mode, list, map, nri and inner"},
		{"duration", "wait: 5\n", "f:1:7: `wait` must be a duration such as 2s or 5m, and here is `5`"},
		{"number", "count: many\n", "f:1:8: `count` must be a whole number, and here is `many`"},
		{"too_large", "small: 256\n", "f:1:8: `small` must be a whole number that is not negative, and here is `256`"},
		{"boolean", "on: yes\n", "f:1:5: `on` must be true or false, and here is `yes`"},
		{"quoted_boolean", "on: 'true'\n", "f:1:5: `on` must be true or false, and here is `true`"},
		{"list_entry", "list: [a, [b]]\n", "f:1:11: entry 2 of `list` must be a single value, and here is a list"},
		{"null", "socket:\n", "f:1:1: `socket` has no value; write one, or leave the key out"},
		{"tilde", "socket: ~\n", "f:1:1: `socket` has no value; write one, or leave the key out"},
		{"two_documents", "count: 1\n---\ncount: 2\n", "f:3:1: a second document begins here; this file must hold one"},
		{"swallowed_document", "---\n---\nsokcet: x\n", "f:3:1: unknown key `sokcet` (did you mean `socket`?)"},
		{"key_after_empty_entry", "list:\n-\ncount: 1\n", "f:2:2: entry 1 of `list` has no value; write one, or leave the key out"},
		{"key_below_another", "list: [a]\n count: 1\n", "f:2:2: the indentation does not say what this belongs to; line it up with what it belongs to"},
		{"colon_in_a_text", "socket: a: b\n", "f:1:9: not valid YAML: this cannot stand here on the line; put a text in quotes that holds a sign of YAML, such as a colon before a space"},
		{"comma_missing", "list: [a b: c d: e]\n", "f:1:16: not valid YAML: a comma is missing, or the sign that closes the `[` of line 1"},
		{"explicit_key", "? count\n: 1\n", "f:1:1: a key after ? is not accepted; write key: value"},
		{"tab", "nri:\n\tname: x\n", "f:2:1: not valid YAML: found character '\\t' that cannot start any token"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out settings
			problems := Strict("f", []byte(c.text), &out)
			if got := problems.Error(); got != c.want {
				t.Errorf("\n got %s\nwant %s", got, c.want)
			}
		})
	}
}

// TestProblemText: the line is printable and bounded, and the caret stands
// below the character that is meant.
func TestProblemText(t *testing.T) {
	long := strings.Repeat("x", 300)
	for _, c := range []struct {
		name, line string
		column     int
		text       string
		caret      int
	}{
		{"plain", "mode: x", 7, "mode: x", 7},
		{"accents", "ümlaut: x", 9, "ümlaut: x", 9},
		{"tab_is_escaped", "\ta: x", 2, `\ta: x`, 3},
		{"escape", "a\u202eb: x", 3, `a\u202eb: x`, 8},
		{"past_the_end", "ab", 9, "ab", 3},
		{"long", long, 250, long[:maxText-3] + "...", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			text, caret := excerpt(c.line, c.column)
			if text != c.text || caret != c.caret {
				t.Errorf("got %q caret %d, want %q caret %d", text, caret, c.text, c.caret)
			}
		})
	}
}

func TestNearest(t *testing.T) {
	known := []string{"block", "warn", "audit"}
	for got, want := range map[string]string{"blok": "block", "bolck": "block", "Audit": "audit", "wran": "warn", "allow": "", "": ""} {
		if near := nearest(got, known); near != want {
			t.Errorf("%s: got %q, want %q", got, near, want)
		}
	}
}

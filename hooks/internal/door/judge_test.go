package door

import "testing"

func TestParseLogin(t *testing.T) {
	for text, want := range map[string]int64{"1000": 1000, "0\n": 0, "4294967295": -1, "": -1, "4294967296": -1, "root": -1, "-1": -1} {
		got := int64(-1)
		if id := parseLogin(text); id != nil {
			got = int64(*id)
		}
		if got != want {
			t.Errorf("%q: got %d, want %d", text, got, want)
		}
	}
}

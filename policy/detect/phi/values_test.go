package phi

import "testing"

func TestValidDate(t *testing.T) {
	for _, c := range []struct {
		text string
		want date
	}{
		{"1980-02-01", date{1980, 2, 1}},
		{"1980-02-01T10:00:00Z", date{1980, 2, 1}},
		{"1980-02-01 12:00:00.000", date{1980, 2, 1}},
		{"19800201", date{1980, 2, 1}},
		{"02011980", date{1980, 2, 1}},
		{"19800201103000", date{1980, 2, 1}},
		{"2/1/1980", date{1980, 2, 1}},
		{"2/1/80", date{1980, 2, 1}},
		{"31.12.1980", date{1980, 12, 31}},
		{"1-Feb-1980", date{1980, 2, 1}},
		{"Feb 1, 1980", date{1980, 2, 1}},
		{"1980/2/1", date{1980, 2, 1}},
		{"1980", date{}},
		{"1700-02-01", date{}},
		{"1980-13-40", date{}},
		{"10:30:00", date{}},
		{"1.2.3.4", date{}},
		{"a-b-cccc", date{}},
		{"12345678", date{}},
		{"", date{}},
	} {
		got, ok := validDate([]byte(c.text))
		if want := c.want != (date{}); ok != want || ok && got != c.want {
			t.Errorf("validDate(%q) = %v, %t", c.text, got, ok)
		}
	}
}

func TestValidSSN(t *testing.T) {
	for text, want := range map[string]bool{
		"237-96-2820": true, "237962820": true, "999-17-5017": true,
		"000-12-3456": false, "666-12-3456": false, "237-00-2820": false, "237-96-0000": false, "078-05-1120": false,
		"987-65-4325": false, "111-11-1111": false, "123-45-6789": false, "2820": false, "***-**-2820": false, "": false,
	} {
		if got := validSSN([]byte(text)) != nil; got != want {
			t.Errorf("validSSN(%q) = %t, want %t", text, got, want)
		}
	}
}

func TestValidMBI(t *testing.T) {
	for text, want := range map[string]bool{
		"2FH5-UF6-NK84": true, "2fh5uf6nk84": true,
		"1EG4-TE5-MK73": false, "0FH5UF6NK84": false, "2SH5UF6NK84": false, "2FH5UF6NK8": false, "2FH5UF6NK845": false, "": false,
	} {
		if got := validMBI([]byte(text)) != nil; got != want {
			t.Errorf("validMBI(%q) = %t, want %t", text, got, want)
		}
	}
}

func TestPathContext(t *testing.T) {
	for path, want := range map[string]int{
		"/data/phi/a": 2, "/srv/patients.csv": 2, "/srv/PatientExport.csv": 2, "/srv/my_emr-dump": 2,
		"/srv/members.csv": 1, "/health/claims.csv": 2,
		"/cryptographic/a": 0, "/missingItemRef": 0, "/impatient.txt": 0, "/srv/export.csv": 0,
	} {
		if got := pathContext(path); got != want {
			t.Errorf("pathContext(%q) = %d, want %d", path, got, want)
		}
	}
}

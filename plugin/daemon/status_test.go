package daemon

import (
	"crypto/sha256"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/phigate/phigate/plugin/ask"
	"github.com/phigate/phigate/plugin/redact"
)

// kept are the texts of a status that are phigate's own, or a container's ID.
var kept = map[string]bool{"Version": true, "Gate": true, "Digest": true, "ID": true, "Hint": true, "Table": true}

// plant puts a text into every string below v that is not kept, and says how many.
func plant(v reflect.Value, text string) (n int) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
		return 1
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		return plant(v.Elem(), text)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		return plant(v.Index(0), text) + plant(v.Index(1), text)
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() && !kept[f.Name] {
				n += plant(v.Field(i), text)
			}
		}
	}
	return n
}

// No name from outside, wherever in a status it stands, says who a patient is: a
// field that is added and forgotten is found here.
func TestStatusLeaksNothing(t *testing.T) {
	r := redact.Redactor{Keyed: func(b []byte) (out [16]byte) { s := sha256.Sum256(b); copy(out[:], s[:]); return out }}
	for _, value := range []string{"219-09-9981", "jane.roe@clinic.example.org", "mrn-00482913", "+442079460958"} {
		var s ask.Status
		if n := plant(reflect.ValueOf(&s).Elem(), "a/"+value+" b"); n < 15 {
			t.Fatalf("%d texts were planted", n)
		}
		redactStatus(r, &s)
		text, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		bare := strings.TrimPrefix(value, "mrn-")
		if n := strings.Count(string(text), bare); n > 0 {
			t.Errorf("%d planted values of one kind are in the status", n)
		}
	}
}

package secret

import (
	"encoding/base64"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/phigate/phigate/policy/detect"
)

// of makes a function that gives the messages of what the detector finds.
func of(t *testing.T, d detect.Detector) func(path, content string) []string {
	t.Helper()
	set, err := detect.NewSet([]detect.Detector{d})
	if err != nil {
		t.Fatal(err)
	}
	scan := set.NewScan(func([]byte) (sum [16]byte) { return sum })
	return func(path, content string) []string {
		scan.Open(path, int64(len(content)))
		scan.Write([]byte(content))
		var found []string
		for _, f := range scan.Close().Findings {
			found = append(found, f.Message)
		}
		return found
	}
}

// special are values that random bytes of the form are not.
func special(random *rand.Rand, e *token) string {
	value := newForm(e.form).example(random)
	switch {
	case strings.HasPrefix(e.kind, "OpenAI") && e.check != nil:
		return value[:30] + "T3BlbkFJ" + value[30:]
	case e.kind == "JSON web token in base64":
		head := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256"}`))
		return base64.StdEncoding.EncodeToString([]byte(head + "." + value))
	}
	return value
}

// TestTokens: random values of each form are found, and as what they are; cut
// short or within a longer word they are not found as that.
func TestTokens(t *testing.T) {
	for name, c := range map[string]struct {
		detector detect.Detector
		table    []token
	}{
		"service": {ServiceToken(), serviceTokens}, "cloud": {CloudCredentials(), cloudTokens}, "registry": {RegistryCredentials(), registryTokens},
	} {
		t.Run(name, func(t *testing.T) {
			find := of(t, c.detector)
			for i := range c.table {
				e := &c.table[i]
				random, found, within := rand.New(rand.NewPCG(uint64(i), 2)), 0, 0
				for range 10 {
					value := special(random, e)
					if len(value) > 1500 {
						value = value[:1500]
					}
					before := "// " + e.near + "\nmatter: \""
					found += count(find("/a.txt", before+value+"\"\n"), e.kind)
					within += count(find("/a.txt", before+"zz0"+value+"0zz\"\n"), e.kind)
				}
				// A random value can have little entropy, or a word in it.
				if found < 6 {
					t.Errorf("%s, form %d: %d of 10 found", e.kind, i, found)
				}
				if within > 1 && isWord(e.form[0]) {
					t.Errorf("%s, form %d: %d of 10 found within a longer word", e.kind, i, within)
				}
			}
		})
	}
}

// TestKeyed: random values behind each word are found in every notation.
func TestKeyed(t *testing.T) {
	for name, c := range map[string]struct {
		detector detect.Detector
		table    []keyed
	}{
		"service": {ServiceToken(), serviceKeys}, "cloud": {CloudCredentials(), cloudKeys}, "registry": {RegistryCredentials(), registryKeys},
	} {
		t.Run(name, func(t *testing.T) {
			find := of(t, c.detector)
			for i, e := range c.table {
				random, found := rand.New(rand.NewPCG(uint64(i), 3)), 0
				for _, word := range strings.Fields(e.words) {
					word, _, _ = strings.Cut(strings.ReplaceAll(word, `[_\-]`, "_"), "[")
					for _, before := range []string{"my_" + word + "_token = \"", word + ".t: ", "{\"" + word + "Key\": \"", word + "_A => '", "f(\"" + word + "_T\", \""} {
						value := newForm(e.form).example(random)
						if len(find("/a.txt", "a\n"+before+value+"\"\n")) == 0 {
							found--
						}
						plain := strings.ReplaceAll(value, "=", "a")
						if len(find("/a.txt", "a\n"+word+" is "+plain+"\n")) > 0 {
							t.Errorf("%s, form %d: found without an assignment", e.kind, i)
						}
					}
				}
				if found < -1 { // as above
					t.Errorf("%s, form %d: %d not found", e.kind, i, -found)
				}
			}
		})
	}
}

// count is how many of the messages are this.
func count(messages []string, want string) int {
	n := 0
	for _, m := range messages {
		if m == want {
			n++
		}
	}
	return n
}

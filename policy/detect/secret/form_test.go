package secret

import (
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	"github.com/phigate/phigate/policy/detect/prefilter"
)

// members of a class.
func (c *class) members() []byte {
	var all []byte
	for b := range 256 {
		if c.holds(byte(b)) {
			all = append(all, byte(b))
		}
	}
	return all
}

// example is a random value of the form.
func (f form) example(random *rand.Rand) string {
	var out strings.Builder
	for _, p := range f {
		out.WriteString(p.literal)
		all := p.class.members()
		for range p.min + random.IntN(p.max-p.min+1) {
			out.WriteByte(all[random.IntN(len(all))])
		}
	}
	return out.String()
}

// regexp of the form.
func (f form) regexp() *regexp.Regexp {
	var expr strings.Builder
	for _, p := range f {
		expr.WriteString(regexp.QuoteMeta(p.literal))
		if p.literal == "" {
			expr.WriteString(p.class.expr)
			// More than regexp's 1,000 are written as some.
			least, most := p.min, min(p.max, 1000)
			expr.WriteString("{" + itoa(least) + "," + itoa(most) + "}")
		}
	}
	return regexp.MustCompile(`^(?s:` + expr.String() + `)`)
}

func itoa(n int) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return itoa(n/10) + itoa(n%10)
}

// tables are all kinds, those with labels under their forms.
func tables() map[string][]token {
	all := map[string][]token{"service": serviceTokens, "cloud": cloudTokens, "registry": registryTokens}
	for name, table := range map[string][]keyed{"service_keys": serviceKeys, "cloud_keys": cloudKeys, "registry_keys": registryKeys} {
		for _, e := range table {
			all[name] = append(all[name], token{kind: e.kind, form: e.form})
		}
	}
	return all
}

// TestForms: each form can be read, its anchor compiles, and random values of
// it match, as long as regexp says.
func TestForms(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for name, table := range tables() {
		for _, e := range table {
			f := newForm(e.form)
			if len(table[0].near)+len(e.anchor) == 0 && f[0].literal != "" {
				if _, err := prefilter.Compile([]string{f.anchor()}); err != nil {
					t.Errorf("%s: the anchor of %s: %v", name, e.kind, err)
				}
			}
			for range 20 {
				value := f.example(random)
				if len(value) > 900 {
					continue
				}
				end, ok := f.match([]byte("="+value+";"), 1)
				if want := len(f.regexp().FindString(value + ";")); !ok || end != want+1 {
					t.Errorf("%s: an example of %q, %d bytes, matches as %d bytes, want %d", name, e.form, len(value), end-1, want)
				}
			}
		}
	}
}

func TestNewForm_panics(t *testing.T) {
	for _, text := range []string{"a<", "a<>", "a<q3>", "a<d>", "a<d3-x>", "a<d3", "<[a-z>"} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("form %q is read", text)
				}
			}()
			newForm(text)
		}()
	}
}

// FuzzForm: a match ends within the text, as regexp says.
func FuzzForm(f *testing.F) {
	f.Add("ab-12345-x", uint8(0))
	f.Add("ghq_aaaaaaaaaaaa", uint8(1))
	f.Add("zz==", uint8(2))
	forms := []form{newForm("ab-<d2-5>-<w1>"), newForm("gh<[pq]1>_<w4-36>"), newForm("<l1-9><=0-2>")}
	f.Fuzz(func(t *testing.T, text string, which uint8) {
		m := forms[int(which)%len(forms)]
		end, ok := m.match([]byte(text), 0)
		want := m.regexp().FindStringIndex(text)
		if ok != (want != nil) || ok && end != want[1] {
			t.Errorf("form %d matches %d bytes of %d, otherwise than regexp", int(which)%len(forms), end, len(text))
		}
	})
}

package gitleaks

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/phigate/phigate/plugin/inspect"
	"github.com/phigate/phigate/policy/config"
)

func signed() *SignOff {
	return &SignOff{
		Reason: "Test keys", Ticket: "SEC-1", RequestedBy: "a@clinic.example", ApprovedBy: []string{"b@clinic.example"},
		ExpiresAt: "2027-01-31T00:00:00Z", Namespaces: []string{"ci"},
	}
}

const example = `
title = "ours"
[extend]
useDefault = true
disabledRules = ["github-pat"]
[[rules]]
id = "keystore"
description = "Java key stores"
path = '''\.(jks|keystore)$'''
[[rules]]
id = "internal-token"
description = "Tokens of our own"
regex = '''itok_[0-9a-f]{32}'''
keywords = ["itok_"]
[[rules]]
id = "private-key"
regex = '''-----BEGIN'''
[[rules.allowlists]]
paths = ['''^opt/app/testdata/''']
stopwords = ["example"]
[[allowlists]]
targetRules = ["private-key", "internal-token"]
paths = ['''(?i)fixtures''']
[[allowlists]]
condition = "AND"
paths = ['''\.md$''']
regexes = ['''EXAMPLE''']
[surprise]
a = 1
`

func TestConvert(t *testing.T) {
	text, notes, err := Convert([]byte(example), Options{Name: "gitleaks", Action: "block", Exception: signed(), Catalogue: inspect.Catalogue()})
	if err != nil {
		t.Fatal(err)
	}
	p, problems := config.Compile([]config.File{{Name: "out.yaml", Data: []byte(text)}}, inspect.Catalogue())
	if p == nil {
		t.Fatalf("what came out does not compile: %v\n%s", problems, text)
	}
	if got := len(p.Documents); got != 2 {
		t.Errorf("%d policies, want that on the catalogue and that on files", got)
	}
	if e := p.Exceptions.All(); len(e) != 1 || len(e[0].Findings) != 1 || e[0].Findings[0].Path != "/opt/app/testdata/**/*" {
		t.Errorf("exceptions: %d", len(e))
	}
	for _, want := range []string{"- \"name: *.jks\"", "- \"name: *.keystore\"", "- id: private-key"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q lacks %q", text, want)
		}
	}
	var got []string
	for _, n := range notes {
		got = append(got, n.What+": "+n.Why)
	}
	want := []string{
		"key surprise: it is not known",
		"extend.useDefault: gitleaks' own rules are those of phigate's detectors here, which look for less or for more",
		"disabled rule github-pat: rule service-token looks for other things too, so it stays; `- {id: service-token, action: audit}` would only record it",
		"rule internal-token: no policy can hold an expression on what stands in files; phigate's detectors are in `phigate rules`",
		"rule private-key: phigate's detector private-key stands for it, by its own patterns and not by this expression",
		"rule private-key, allowlist 1, stopwords: an exception names places, and nothing of what stands there",
		"allowlist 1, path (?i)fixtures: it cannot be written as a glob: upper and lower case are one there; globs tell them apart",
		"allowlist 2: an exception has places alone, and this one holds only together with its regexes",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("notes (-want +got):\n%s", diff)
	}
}

// Nobody is excepted where nobody signed.
func TestConvertUnsigned(t *testing.T) {
	text, notes, err := Convert([]byte(example), Options{Name: "gitleaks", Action: "warn", Catalogue: inspect.Catalogue()})
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(text, "kind: Exception") {
		t.Error("an exception that nobody signed")
	}
	said := false
	for _, n := range notes {
		said = said || strings.Contains(n.Why, "an exception needs who, why and until when")
	}
	if !said {
		t.Error("the path that was not converted is not named")
	}
}

func TestConvertRefuses(t *testing.T) {
	for name, text := range map[string]string{"toml": "a = [", "kind": "rules = 1", "large": strings.Repeat("#", MaxSize+1)} {
		if _, _, err := Convert([]byte(text), Options{Name: "g", Action: "block"}); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// The catalogue has every rule that is named here.
func TestCatalogued(t *testing.T) {
	known := map[string]bool{}
	for _, info := range inspect.Catalogue() {
		known[info.ID] = true
	}
	for _, id := range catalogued() {
		if !known[id] {
			t.Errorf("%s is not in the catalogue", id)
		}
	}
}

// FuzzConvert: what comes out compiles, or nothing comes out.
func FuzzConvert(f *testing.F) {
	f.Add([]byte(example))
	f.Add([]byte("[allowlist]\npaths = ['''a''', '''\\.b$''']\n[[rules]]\nid = \"x\\u0000\"\npath = '''^a/'''\n[[rules]]\nid = \"x\"\npath='''b$'''\n"))
	f.Add([]byte("rules = [{id = 'a', path = '''\\.a$'''}, {id = 'a', path = '''\\.b$'''}]"))
	f.Fuzz(func(t *testing.T, data []byte) {
		text, _, err := Convert(data, Options{Name: "gitleaks", Action: "block", Exception: signed(), Catalogue: inspect.Catalogue()})
		if err != nil || text == "" {
			return
		}
		if p, problems := config.Compile([]config.File{{Name: "out.yaml", Data: []byte(text)}}, inspect.Catalogue()); p == nil {
			t.Errorf("what came out does not compile: %v", problems.Errors()[0].Message)
		}
	})
}

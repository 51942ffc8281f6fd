package xmltok_test

import (
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/phigate/phigate/policy/detect/xmltok"
)

// read gives the text to a tokenizer in windows and writes its tokens down: the
// path with the name space of the last, attributes, text.
func read(text string, size int) []string {
	out := []string{}
	var z *xmltok.Tokenizer
	z = xmltok.New(func(t *xmltok.Token) {
		line := string(t.Name)
		if len(t.Space) > 0 {
			line += "(" + string(t.Space) + ")"
		}
		for up := 1; len(z.Path(up)) > 0; up++ {
			line = string(z.Path(up)) + "." + line
		}
		line = map[xmltok.Kind]string{xmltok.Start: "<", xmltok.End: "/", xmltok.Text: "="}[t.Kind] + line
		for _, a := range t.Attrs {
			line += "|" + string(a.Name) + "=" + string(a.Value)
		}
		if t.Kind == xmltok.Text {
			line += ":" + string(t.Value)
		}
		for _, m := range []struct {
			mark string
			set  bool
		}{{"!cut", t.Cut}, {"!unopened", t.Unopened}, {"!broken", t.Broken}, {"!unexpanded", t.Unexpanded}} {
			if m.set {
				line += m.mark
			}
		}
		out = append(out, line)
	})
	for i := 0; i < len(text); i += size {
		z.Window(int64(i), []byte(text[i:min(i+size, len(text))]))
	}
	z.Close()
	return out
}

func TestTokenizer(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"element":  {`<a x="1" y='2>'>t</a>`, []string{"<a|x=1|y=2>", "=a:t", "/a"}},
		"empty":    {`<a><b/><c x="/"/></a >`, []string{"<a", "<a.b", "/a.b", "<a.c|x=/", "/a.c", "/a"}},
		"space":    {`<a xmlns="u:a" xmlns:p="u:p"><p:b p:x="1"/><c xmlns="u:c"/><d/></a>`, []string{"<a(u:a)", "<a.b(u:p)|x=1", "/a.b(u:p)", "<a.c(u:c)", "/a.c(u:c)", "<a.d(u:a)", "/a.d(u:a)", "/a(u:a)"}},
		"declared": {`<p:a xmlns:p="u"><p:b>x</p:b></p:a>`, []string{"<a(u)", "<a.b(u)", "=a.b(u):x", "/a.b(u)", "/a(u)"}},
		"escaped":  {`<a x=\"1\" y=\\"C:\\d\\"/><b x=\1 y="2\"/>`, []string{`<a|x=1|y=C:\\d`, "/a", `<b|y=2\`, "/b"}},
		"entities": {`<a x="&lt;&#65;&#x42;&quot;">&amp;&unknown;&&#1114112;x&apos; & y</a>`, []string{`<a|x=<AB"`, `=a:&&x' & y`, "/a"}},
		"long":     {`<a>&averyverylongname;</a>`, []string{"<a", "=a:&averyverylongname;", "/a"}},
		"cdata":    {`<a>x <![CDATA[<b>]]]]>y</a>`, []string{"<a", "=a:x <b>]]y", "/a"}},
		"document": {`<a><![CDATA[ <b x="1">t</b>]]></a>`, []string{"<a", "<a.b|x=1", "=a.b:t", "/a.b", "=a:]]>", "/a"}},
		"comment":  {`<a><!-- <b> -- --->x<?pi <c> ?>y</a>`, []string{"<a", "=a:xy", "/a"}},
		"doctype": {`<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "]>"> <!ELEMENT c (d)>]><a x="&b;">&b;</a>&amp;`,
			[]string{"<a|x=!unexpanded", "=a:!unexpanded", "/a", "=:&"}},
		"text":       {"if a < b && c<d { <x>1</x>", []string{"=:if a < b && c", "<x", "=x:1", "/x"}},
		"less":       {"1 <2, <x>1</x>", []string{"=:1 <2,", "<x", "=x:1", "/x"}},
		"middle":     {`ue="1"/>t</b></c><d>x</d>`, []string{`=:ue="1"/>t`, "/b!unopened", "/c!unopened", "<d", "=d:x", "/d"}},
		"crossed":    {`<a><b>x</a></b><c/>`, []string{"<a", "<a.b", "=a.b:x", "/a.b!broken", "/a", "/b!unopened", "<c", "/c"}},
		"unknown":    {`<a></b>x</a>`, []string{"<a", "=a:x", "/a"}},
		"cut_off":    {`<a><b x="1`, []string{"<a", "/a!broken"}},
		"cut_value":  {`<a x="1<b y="2"/>`, []string{"<b|y=2", "/b"}},
		"no_value":   {`<a x y=1 z="3">`, []string{"<a|z=3", "/a!broken"}},
		"documents":  {`<a/>` + "\n" + `<b/>`, []string{"<a", "/a", "<b", "/b"}},
		"two_spaces": {`<a><b xmlns:p="u"/><p:c/></a>`, []string{"<a", "<a.b", "/a.b", "<a.c", "/a.c", "/a"}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, size := range []int{1 << 20, 3, 1} {
				if diff := cmp.Diff(c.want, read(c.text, size)); diff != "" {
					t.Errorf("windows of %d (-want +got):\n%s", size, diff)
				}
			}
		})
	}
}

// TestMissed: what is passed over is told, and nothing else.
func TestMissed(t *testing.T) {
	const declared = `<!DOCTYPE a [<!ENTITY b "c">]>`
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"none":           {declared + `<a x="&lt;">&amp; & &#65; <b/></a>`, nil},
		"undeclared":     {`<!DOCTYPE html><a x="&nbsp;">&nbsp;</a>`, nil},
		"entity":         {declared + "<a>&b;</a>", []string{xmltok.Entities}},
		"long_name":      {declared + "<a>&averyverylongname;</a>", []string{xmltok.Entities}},
		"in_attribute":   {declared + `<a x="&b;"/>`, []string{xmltok.Entities}},
		"as_deep_as_can": {strings.Repeat("<a>", xmltok.MaxDepth), nil},
		"deep":           {strings.Repeat("<a>", xmltok.MaxDepth+1), []string{"XML nested more than 64 deep"}},
		"attributes":     {"<a" + strings.Repeat(` x="1"`, xmltok.MaxAttrs+1) + ">", []string{"XML element with more than 32 attributes"}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, size := range []int{1 << 20, 1} {
				var got []string
				z := xmltok.New(func(*xmltok.Token) {})
				for i := 0; i < len(c.text); i += size {
					z.Window(int64(i), []byte(c.text[i:min(i+size, len(c.text))]))
				}
				z.Close()
				z.Missed(func(reason string) { got = append(got, reason) })
				if diff := cmp.Diff(c.want, got); diff != "" {
					t.Errorf("windows of %d (-want +got):\n%s", size, diff)
				}
			}
		})
	}
}

// TestTokenizer_hostile: expansion, depth and length cost nothing, and what
// follows is read.
func TestTokenizer_hostile(t *testing.T) {
	const million = 1_000_000
	laughs := `<!DOCTYPE l [<!ENTITY a "aaaaaaaaaa">`
	for c := 'b'; c <= 'k'; c++ {
		laughs += "<!ENTITY " + string(c) + ` "` + strings.Repeat("&"+string(c-1)+";", 10) + `">`
	}
	for name, c := range map[string]struct {
		text  string
		again int
	}{
		"entities":   {laughs + "]><l>" + strings.Repeat("&k;", million) + "</l>", 1},
		"depth":      {strings.Repeat("<a>", million) + strings.Repeat("</a>", million), 1},
		"ends":       {strings.Repeat("</a>", million), 1},
		"text":       {strings.Repeat("a", 1<<20), 256},
		"ampersands": {strings.Repeat("&", 1<<20), 16},
		"brackets":   {"<x><![CDATA[" + strings.Repeat("]", 1<<20) + "]]></x>", 16},
		"name":       {"<" + strings.Repeat("a", 16<<20) + ">", 1},
		"attributes": {"<x " + strings.Repeat(`a="`+strings.Repeat("v", 100)+`" b c=1 `, 100_000) + "/>", 4},
		"value":      {`<x y="` + strings.Repeat("v", 16<<20) + `"/>`, 4},
		"spaces":     {strings.Repeat(`<x xmlns:a="u" xmlns:b="u" xmlns="u"><x/>`, 100_000) + strings.Repeat("</x>", 100_000), 1},
		"comment":    {"<!--" + strings.Repeat("-", 2<<20), 1},
		"quote":      {`<!DOCTYPE a "` + strings.Repeat("<a>", million), 1},
	} {
		t.Run(name, func(t *testing.T) {
			seen := 0
			z := xmltok.New(func(t *xmltok.Token) {
				if t.Kind == xmltok.Text && string(t.Name) == "found" {
					seen++
				}
			})
			before, begun, off := heap(), time.Now(), int64(0)
			window := func(text string) {
				z.Window(off, []byte(text))
				off += int64(len(text))
			}
			for range c.again {
				window(c.text)
			}
			z.Window(off+1, []byte("\n<found>x</found>\n")) // behind a hole
			grown := int64(heap()) - int64(before)
			z.Close()
			if seen != 1 {
				t.Errorf("what follows was read %d times, want once", seen)
			}
			if grown > 2<<20 {
				t.Errorf("%d bytes are held", grown)
			}
			if took := time.Since(begun); took > 20*time.Second {
				t.Errorf("%d bytes took %v", off, took)
			}
		})
	}
}

// TestCut: values, texts and name spaces beyond their bounds are told.
func TestCut(t *testing.T) {
	spaces := strings.Repeat("<x xmlns:a='u'>", 33)
	for name, c := range map[string]struct {
		text   string
		cut    int
		missed []string
	}{
		"value_fits":      {`<a b="` + strings.Repeat("v", xmltok.MaxValue) + `"/>`, 0, nil},
		"value_is_longer": {`<a b="` + strings.Repeat("v", xmltok.MaxValue+1) + `"/><a b="v"/>`, 1, nil},
		"text_fits":       {`<a>` + strings.Repeat("v", xmltok.MaxText) + `</a>`, 0, nil},
		"text_is_longer":  {`<a>` + strings.Repeat("v", xmltok.MaxText+1) + `</a><a>v</a>`, 1, nil},
		"spaces":          {spaces, 0, []string{"XML with more than 32 name spaces at a time"}},
	} {
		t.Run(name, func(t *testing.T) {
			cut := 0
			z := xmltok.New(func(t *xmltok.Token) {
				if t.Cut {
					cut++
				}
			})
			z.Window(0, []byte(c.text))
			z.Close()
			var missed []string
			z.Missed(func(reason string) { missed = append(missed, reason) })
			if diff := cmp.Diff(c.missed, missed); cut != c.cut || diff != "" {
				t.Errorf("%d tokens are cut, want %d; missed (-want +got):\n%s", cut, c.cut, diff)
			}
		})
	}
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// FuzzTokenizer: no panic, the same tokens however the text is cut, and starts
// and ends that match.
func FuzzTokenizer(f *testing.F) {
	f.Add(`<a x="1" xmlns:p="u"><p:b y='&amp;'/>t<![CDATA[]]]]></a>`, uint8(3))
	f.Add(`<!DOCTYPE a [<!ENTITY b "]>">]><a>&b;&#x41;</c></a>`, uint8(1))
	f.Add(`</a><!-- -- --><?x?><a b c=1 d="<e`, uint8(2))
	f.Add(strings.Repeat("<a>", 70)+strings.Repeat("</a>", 71), uint8(9))
	f.Fuzz(func(t *testing.T, text string, size uint8) {
		whole, parts := read(text, len(text)+1), read(text, int(size)+1)
		if diff := cmp.Diff(whole, parts); diff != "" {
			t.Errorf("windows of %d change the tokens", int(size)+1)
		}
		depth := 0
		z := xmltok.New(func(tok *xmltok.Token) {
			switch {
			case tok.Kind == xmltok.Start:
				if tok.Depth != depth {
					t.Errorf("a start at depth %d, want %d", tok.Depth, depth)
				}
				depth++
			case tok.Kind == xmltok.End && !tok.Unopened:
				if depth--; tok.Depth != depth {
					t.Errorf("an end at depth %d, want %d", tok.Depth, depth)
				}
			}
		})
		z.Window(0, []byte(text))
		z.Close()
		if depth != 0 || z.Depth() != 0 || !z.Quiet() {
			t.Errorf("depth %d after the end", depth)
		}
	})
}

func BenchmarkTokenizer(b *testing.B) {
	text := []byte("<a>" + strings.Repeat(`<observation classCode="OBS" moodCode="EVN"><code code="8302-2" codeSystem="2.16"/><text>tall</text></observation>`+"\n", 1000) + "</a>")
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		z := xmltok.New(func(*xmltok.Token) {})
		z.Window(0, text)
		z.Close()
	}
}

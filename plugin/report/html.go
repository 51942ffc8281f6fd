package report

import (
	_ "embed"
	"fmt"
	"io"
	"strings"

	"github.com/phigate/phigate/plugin/report/page"
	"github.com/phigate/phigate/policy"
)

//go:embed decision.html
var decisionBody string

// htmlPlaces bounds the places of one rule, and the things not looked at, that a
// page names.
const htmlPlaces = 500

// decisionPage is what the template shows.
type decisionPage struct {
	Word, Target, Lead, Looked      string
	Facts                           [][2]string
	Groups                          []decisionGroup
	Skipped                         []policy.SkipEntry
	Deferred                        []policy.Deferred
	More, SkippedTotal, SkippedMore int
}

type decisionGroup struct {
	policy.Record
	Title           string
	Total, Unlisted int
	Places          []decisionPlace
	Cites           []string
}

type decisionPlace struct{ Where, What, Layer, People string }

// HTML writes the decision as a page for people: one file, without scripts, that
// needs no network.
func HTML(w io.Writer, d *policy.Decision) error {
	p, err := page.New(decisionBody)
	if err != nil {
		return err
	}
	view := viewOf(d)
	return p.Write(w, "phigate: "+view.Word+" "+view.Target, view)
}

func viewOf(d *policy.Decision) decisionPage {
	view := decisionPage{
		Word: "Refused", Target: policy.Printable(d.Target), Facts: factsOf(d), Deferred: d.Deferred,
		More: total(d.FindingsTotal, len(d.Findings)) - len(d.Findings), SkippedTotal: total(d.SkippedTotal, len(d.Skipped)),
		Looked: fmt.Sprintf("%s, %s, %s.", count(int(d.Coverage.Files), "file", "files"), size(d.Coverage.Bytes), count(d.Coverage.Rules, "rule", "rules")),
	}
	if d.Verdict == policy.Allow {
		view.Word = "Admitted"
	}
	for _, records := range Grouped(d.Findings) {
		view.Groups = append(view.Groups, groupOf(records))
	}
	view.Skipped = d.Skipped[:min(len(d.Skipped), htmlPlaces)]
	view.SkippedMore = view.SkippedTotal - len(view.Skipped)
	view.Lead = leadOf(d, view)
	return view
}

// leadOf is the page in one sentence.
func leadOf(d *policy.Decision, view decisionPage) string {
	if d.Kind != "" && d.Kind != "verdict" {
		return d.Kind + ": " + d.Message
	}
	text := "No findings"
	if n := total(d.FindingsTotal, len(d.Findings)); n > 0 {
		text = count(n, "finding", "findings") + " of " + count(len(view.Groups), "rule", "rules")
	}
	if d.Individuals.Point > 0 {
		text += "; possibly affected: " + people(d.Individuals)
	}
	if view.SkippedTotal > 0 {
		text += "; " + count(view.SkippedTotal, "thing", "things") + " not looked at"
	}
	return text + "."
}

func factsOf(d *policy.Decision) [][2]string {
	facts := [][2]string{{"Gate", string(d.Gate)}, {"Container", d.Container}, {"Pod", d.Pod}, {"Image", d.Image}, {"Digest", d.ImageDigest},
		{"Policy", d.Policy}, {"Documents", d.PolicyVersion}, {"Requester", requester(d)}, {"Written", origin(d.Origin)}, {"Mode", d.Mode.String()}, {"Notes", strings.Join(d.Notes, "; ")}}
	if !d.Time.IsZero() {
		facts = append(facts, [2]string{"Time", d.Time.UTC().Format("2006-01-02 15:04:05 UTC")})
	}
	if d.Seq > 0 {
		facts = append(facts, [2]string{"Decision", fmt.Sprint(d.Seq)})
	}
	var out [][2]string
	for _, f := range facts {
		if f[1] != "" {
			out = append(out, f)
		}
	}
	return out
}

func groupOf(records []policy.Record) decisionGroup {
	g := decisionGroup{Record: records[0], Title: records[0].Message, Total: len(records)}
	for _, c := range g.Citations {
		g.Cites = append(g.Cites, cited(c))
	}
	for i, r := range records {
		if i == htmlPlaces {
			g.Unlisted = len(records) - i
			break
		}
		g.Places = append(g.Places, placeOf(r))
	}
	return g
}

func placeOf(r policy.Record) decisionPlace {
	p := decisionPlace{Where: r.Path, What: r.Message, Layer: short(r.Layer)}
	if p.Where == "" {
		p.Where = r.Field
	}
	if p.Where == "" {
		p.Where = "the container"
	}
	if matches := r.Matches(); matches != "" {
		p.What += ", " + matches
	}
	if r.Deleted {
		p.What += ", deleted by an upper layer and still in the image"
	}
	if r.Synthetic {
		p.What += ", marked as test data"
	}
	if r.Exception != "" {
		p.What += ", exception " + r.Exception
	}
	if r.Individuals.High > 0 {
		p.People = people(r.Individuals)
	}
	return p
}

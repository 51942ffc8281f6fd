package period

import (
	_ "embed"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/phigate/phigate/plugin/report/page"
	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/hipaa"
)

//go:embed report.html
var body string

// The rows that the page shows; the JSON has all that are named.
const (
	shownViolations = 300
	shownImages     = 100
	shownReasons    = 60
)

// view is what the template shows: the report, and what is worked out for the
// eye alone.
type view struct {
	*Report
	Period   string
	Chart    chart
	Rows     []row // of the chart's table, the newest last
	Rest     int   // violations beyond those shown
	Images   []Image
	RestImg  int
	Reasons  []NotSeen
	RestWhy  int
	Attend   []string // what needs somebody
	Line     int      // 164.408(b)
	Intact   bool     // all logs verified
	Several  bool     // more than one log
	Sections [][2]string
}

type row struct {
	Bucket
	Name string
}

// HTML writes the report as a page: one file, without scripts, that needs no
// network.
func HTML(w io.Writer, r *Report) error {
	p, err := page.New(body)
	if err != nil {
		return err
	}
	v := viewOf(r)
	return p.Write(w, "phigate: what the gate decided, "+v.Period, v)
}

func viewOf(r *Report) view {
	v := view{
		Report: r, Period: periodOf(r), Chart: chartOf(r.Unit, r.Timeline), Line: notifyLine, Intact: true, Several: len(r.Logs) > 1,
		Images: r.People.Images[:min(len(r.People.Images), shownImages)], Reasons: r.Coverage.Reasons[:min(len(r.Coverage.Reasons), shownReasons)],
		Sections: [][2]string{{"logs", "Can the log be trusted?"}, {"decisions", "Decisions over time"}, {"violations", "Violations"},
			{"people", "People possibly affected"}, {"safeguards", "By paragraph of the Security Rule"}, {"exceptions", "Exceptions"},
			{"incidents", "Containers that ran unadmitted, and other incidents"}, {"coverage", "What could not be looked at"},
			{"policies", "Policies in force"}, {"about", "About this report"}},
	}
	for _, b := range r.Timeline {
		if b.Sum() > 0 {
			v.Rows = append(v.Rows, row{b, dateName(r.Unit, b.Start, false)})
		}
	}
	v.Rest = max(len(r.Violations)-shownViolations, 0)
	v.RestImg = len(r.People.Images) - len(v.Images)
	v.RestWhy = len(r.Coverage.Reasons) - len(v.Reasons)
	for _, l := range r.Logs {
		v.Intact = v.Intact && l.Proof.Verified
	}
	v.Attend = attend(r)
	return v
}

// Shown are the violations that the page lists.
func (v view) Shown() []Violation { return v.Violations[:min(len(v.Violations), shownViolations)] }

// OnlyWarned are the decisions of a row that admitted with a warning.
func (r row) OnlyWarned() int { return r.Warned - r.Audited }

// AuditControls is the paragraph that the decision log itself serves.
func (v view) AuditControls() string { return hipaa.AuditControls.String() }

// UnitOf heads the table of the chart: a week is named by its first day.
func (v view) UnitOf() string {
	if v.Unit == "week" {
		return "week of"
	}
	return v.Unit
}

// AUnit is a stretch of the timeline with its article.
func (v view) AUnit() string {
	if v.Unit == "hour" {
		return "an hour"
	}
	return "a " + v.Unit
}

// Where is what the report is about: nodes, or the one node.
func (v view) Where() string {
	switch {
	case len(v.Logs) > 1:
		return page.Number(len(v.Logs)) + " nodes"
	case len(v.Logs) == 1 && v.Logs[0].Node != "":
		return "node " + v.Logs[0].Node
	case len(v.Logs) == 1:
		return v.Logs[0].Name
	}
	return ""
}

// All are the decisions of the chart.
func (v view) All() int { return v.Totals.Judged + v.Totals.Unjudged }

func periodOf(r *Report) string {
	const layout = "2 January 2006"
	first, last := r.First, r.Last
	if !r.From.IsZero() {
		first = r.From
	}
	if !r.To.IsZero() {
		last = r.To.Add(-1) // To is excluded
	}
	switch {
	case first.IsZero():
		return "no decisions"
	case first.Format(layout) == last.Format(layout):
		return first.Format(layout)
	}
	return first.Format(layout) + " to " + last.Format(layout)
}

// attend lists what somebody should do something about, the gravest first.
func attend(r *Report) []string {
	var out []string
	say := func(n int, one, many string) {
		if n > 0 {
			out = append(out, fmt.Sprintf("%s %s", page.Number(n), plural(n, one, many)))
		}
	}
	for _, l := range r.Logs {
		if !l.Proof.Verified && l.Proof.Problem != "" {
			out = append(out, "The log "+l.Name+" is not verified: "+l.Proof.Problem)
		}
	}
	say(r.Totals.Bypasses, "container ran without being judged", "containers ran without being judged")
	say(r.Totals.Overrides, "container ran under break-glass although it was refused", "containers ran under break-glass although they were refused")
	ran := 0
	for _, i := range r.People.Images {
		if i.Admitted > 0 {
			ran++
		}
	}
	say(ran, "image with people's data was admitted", "images with people's data were admitted")
	damaged, rejected, silent := 0, 0, 0
	for _, i := range r.Incidents {
		switch i.Kind {
		case "policy-rejected":
			rejected++
		case "log-damaged", "log-outage":
			damaged++
		case "silence":
			silent++
		}
	}
	say(damaged, "time the log was damaged or could not be written", "times the log was damaged or could not be written")
	say(silent, "time phigate fell silent without saying that it stops", "times phigate fell silent without saying that it stops")
	say(rejected, "policy was rejected", "policies were rejected")
	if n := r.Coverage.Decisions - r.Coverage.Whole; n > 0 {
		say(n, "decision rests on a part of the container: something could not be looked at", "decisions rest on a part of the container: something could not be looked at")
	}
	return out
}

func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

// Estimate is a number of people with its bounds.
func (v view) Estimate(i policy.Individuals) string {
	if i.Low == i.Point && i.Point == i.High {
		return page.Number(i.Point)
	}
	return fmt.Sprintf("about %s (%s to %s)", page.Number(i.Point), page.Number(i.Low), page.Number(i.High))
}

// Short is a log's number in the table of logs, by which the page calls it.
func (v view) Short(log string) int {
	return 1 + slices.IndexFunc(v.Logs, func(l Log) bool { return l.Name == log })
}

// Seqs are places in the logs, by log where there are several. Of all places, the
// list holds the first.
func (v view) Seqs(list []Evidence, all int) string {
	var text strings.Builder
	for i, e := range list {
		switch {
		case i == 0 && v.Several, i > 0 && list[i-1].Log != e.Log:
			if i > 0 {
				text.WriteString("; ")
			}
			fmt.Fprintf(&text, "log %d: ", v.Short(e.Log))
		case i > 0:
			text.WriteString(", ")
		}
		text.WriteString(strconv.FormatUint(e.Seq, 10))
	}
	if more := all - len(list); more > 0 {
		fmt.Fprintf(&text, " and %s more", page.Number(more))
	}
	return text.String()
}

// Share is a part in whole percent, for people; parts of nothing are none.
func (v view) Share(part, whole int) string {
	if whole == 0 {
		return "0 %"
	}
	return fmt.Sprintf("%.0f %%", 100*float64(part)/float64(whole))
}

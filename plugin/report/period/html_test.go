package period

import (
	"bytes"
	"regexp"
	"strings"
	"testing"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/hipaa"
)

func rendered(t *testing.T, r *Report) string {
	t.Helper()
	var b bytes.Buffer
	if err := HTML(&b, r); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// The page reads by ear: headings go down one level at a time, each table has a
// caption and each of its heads a scope, each picture a text or is hidden, each
// link in the page a target.
func TestPageIsAccessible(t *testing.T) {
	for name, r := range map[string]*Report{"nodes": twoNodes(), "empty": New(begin, begin, nil).Finish(begin, ""), "hostile": hostileReport()} {
		t.Run(name, func(t *testing.T) {
			page := rendered(t, r)
			level := 0
			for _, m := range regexp.MustCompile(`<h([1-6])`).FindAllStringSubmatch(page, -1) {
				next := int(m[1][0] - '0')
				if next > level+1 {
					t.Errorf("a heading of level %d follows one of level %d", next, level)
				}
				level = next
			}
			if strings.Count(page, "<h1") != 1 || !strings.Contains(page, `<html lang="en">`) {
				t.Error("it has no single h1, or no language")
			}
			if a, b := strings.Count(page, "<table"), strings.Count(page, "<caption"); a != b {
				t.Errorf("%d tables, %d captions", a, b)
			}
			for _, th := range regexp.MustCompile(`<th [^>]*>|<th>`).FindAllString(page, -1) {
				if !strings.Contains(th, "scope=") {
					t.Errorf("%s has no scope", th)
				}
			}
			for _, svg := range regexp.MustCompile(`<svg [^>]*>`).FindAllString(page, -1) {
				if !strings.Contains(svg, `aria-hidden="true"`) && !strings.Contains(svg, "aria-labelledby=") {
					t.Errorf("%s has no text", svg)
				}
			}
			for _, m := range regexp.MustCompile(`(?:href|aria-labelledby)="#?([a-z -]+)"`).FindAllStringSubmatch(page, -1) {
				for _, id := range strings.Fields(m[1]) {
					if !strings.Contains(page, `id="`+id+`"`) {
						t.Errorf("%s leads nowhere", id)
					}
				}
			}
		})
	}
}

// It needs no network and no script, whatever names hold.
func TestPageIsSelfContained(t *testing.T) {
	for _, r := range []*Report{twoNodes(), hostileReport()} {
		page := rendered(t, r)
		for _, bad := range []string{"<script", "<img", "<link", "<iframe", "<object", "@import", "url(", `href="http`} {
			if strings.Contains(page, bad) {
				t.Errorf("it holds %s", bad)
			}
		}
		if strings.Contains(page, "http://") || strings.Contains(strings.ReplaceAll(page, "https://github.com/phigate", ""), "https://") {
			t.Error("it names an address")
		}
	}
}

// The chart says what the table says.
func TestChartHoldsAllBars(t *testing.T) {
	r := twoNodes()
	c := chartOf(r.Unit, r.Timeline)
	if len(c.Bars) != len(r.Timeline) {
		t.Fatalf("%d bars of %d", len(c.Bars), len(r.Timeline))
	}
	for i, bar := range c.Bars {
		height, parts := 0.0, 0
		for _, p := range bar.Parts {
			height += p.H
			parts++
			if p.X < chartLeft || p.X+p.W > chartWidth || p.Y < 0 || p.Y+p.H > chartHeight {
				t.Errorf("bar %d lies outside of the picture", i)
			}
		}
		if x := bar.Excepted; (x != nil) != (r.Timeline[i].Excepted > 0) || x != nil && (x.W <= 0 || x.H <= 0 || x.X+x.W > chartWidth || x.Y+x.H > chartHeight) {
			t.Errorf("bar %d: %d by an exception, shown as %+v", i, r.Timeline[i].Excepted, x)
		}
		if (r.Timeline[i].Sum() > 0) != (parts > 0) || height > chartHeight {
			t.Errorf("bar %d: %d parts, %.1f high", i, parts, height)
		}
	}
	for top, want := range map[int]int{1: 1, 5: 1, 6: 2, 11: 5, 26: 10, 1234: 500} {
		if got := niceStep(top); got != want {
			t.Errorf("niceStep(%d) = %d, want %d", top, got, want)
		}
	}
}

// The paragraph that the log itself serves has one row, whether a rule supports it too or not.
func TestAuditControlsHasOneRow(t *testing.T) {
	for name, infos := range map[string][]policy.Info{"no_rule": nil, "a_rule": {{ID: "log-suppressed", Cites: []hipaa.Citation{hipaa.AuditControls}}}} {
		t.Run(name, func(t *testing.T) {
			page := rendered(t, New(begin, begin, infos).Finish(begin, ""))
			if rows, log := strings.Count(page, "45 CFR 164.312(b)"), strings.Count(page, "the decision log itself"); rows != 1 || log != 1 {
				t.Errorf("%d rows, %d of the log", rows, log)
			}
		})
	}
}

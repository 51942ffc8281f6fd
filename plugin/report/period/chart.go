package period

import (
	"fmt"
	"time"
)

// The chart's measures, in the units of its view box.
const (
	chartWidth  = 960
	chartHeight = 260
	chartLeft   = 56 // room for the numbers
	chartTop    = 10
	chartBottom = 28 // room for the dates
	dateEvery   = 96 // between two dates
)

// chart is the timeline as stacked bars, placed.
type chart struct {
	Width, Height, Left, Base int
	Bars                      []chartBar
	Lines                     []chartLine
	Dates                     []chartDate
}

type chartBar struct {
	Says  string // for whoever points at it
	Parts []chartPart
	// Excepted is a bar of its own beside: those that used an exception are among the parts.
	Excepted *chartPart
}

type chartPart struct {
	Class      string
	X, Y, W, H float64
}

type chartLine struct {
	Y    float64
	Says string
}

type chartDate struct {
	X      float64
	Anchor string
	Says   string
	Inner  bool // neither the first nor the last: no room for it on a phone
}

func chartOf(unit string, buckets []Bucket) chart {
	c := chart{Width: chartWidth, Height: chartHeight, Left: chartLeft, Base: chartHeight - chartBottom}
	top := 1
	for _, b := range buckets {
		top = max(top, b.Sum())
	}
	step := niceStep(top)
	top = (top + step - 1) / step * step
	scale := float64(c.Base-chartTop) / float64(top)
	for n := 0; n <= top; n += step {
		c.Lines = append(c.Lines, chartLine{float64(c.Base) - float64(n)*scale, fmt.Sprint(n)})
	}
	width := float64(chartWidth-chartLeft) / float64(max(len(buckets), 1))
	bar := min(width*0.7, 64)
	lastDate := -float64(dateEvery)
	for i, b := range buckets {
		x := chartLeft + float64(i)*width + (width-bar)/2
		shown := barOf(unit, b, x, bar, float64(c.Base), scale)
		if h := float64(b.Excepted) * scale; h > 0 {
			shown.Excepted = &chartPart{"s-excepted", x + bar + 1, float64(c.Base) - h, min((width-bar)/2-1, 8), h}
		}
		c.Bars = append(c.Bars, shown)
		if middle := x + bar/2; middle-lastDate >= dateEvery {
			c.Dates = append(c.Dates, dateOf(middle, dateName(unit, b.Start, false)))
			lastDate = middle
		}
	}
	for i := 1; i+1 < len(c.Dates); i++ {
		c.Dates[i].Inner = true
	}
	return c
}

// dateOf keeps the text within the picture.
func dateOf(x float64, text string) chartDate {
	switch {
	case x > chartWidth-48:
		return chartDate{X: chartWidth, Anchor: "end", Says: text}
	case x < chartLeft+24:
		return chartDate{X: chartLeft, Anchor: "start", Says: text}
	}
	return chartDate{X: x, Anchor: "middle", Says: text}
}

func barOf(unit string, b Bucket, x, width, base, scale float64) chartBar {
	out := chartBar{Says: fmt.Sprintf("%s: %d refused, %d without a verdict, %d warned, %d only recorded, %d clean; of these %d used an exception",
		dateName(unit, b.Start, true), b.Blocked, b.Unjudged, b.Warned-b.Audited, b.Audited, b.Clean, b.Excepted)}
	for _, part := range []struct {
		class string
		n     int
	}{{"s-blocked", b.Blocked}, {"s-unjudged", b.Unjudged}, {"s-warned", b.Warned - b.Audited}, {"s-audited", b.Audited}, {"s-clean", b.Clean}} {
		if part.n > 0 {
			h := float64(part.n) * scale
			base -= h
			out.Parts = append(out.Parts, chartPart{part.class, x, base, width, h})
		}
	}
	return out
}

// niceStep divides the axis into at most five parts of 1, 2 or 5 times a power
// of ten.
func niceStep(top int) int {
	for power := 1; ; power *= 10 {
		for _, n := range []int{1, 2, 5} {
			if step := n * power; step*5 >= top {
				return step
			}
		}
	}
}

// dateName names a stretch of time.
func dateName(unit string, t time.Time, long bool) string {
	switch unit {
	case "hour":
		return t.Format("2 Jan 15:04")
	case "week":
		if long {
			return "week of " + t.Format("2 Jan 2006")
		}
	case "month":
		return t.Format("Jan 2006")
	case "year":
		return t.Format("2006")
	}
	return t.Format("2 Jan 2006")
}

package period

import (
	"slices"
	"time"
)

// The timeline counts by the hour while the records lie within hours of each
// other, and by the day beyond, so that it is bounded whatever the period.
const (
	maxHours = 24 * 45
	maxDays  = 366 * 100
	maxBars  = 35
	dayHours = 72 // up to three days are shown by the hour
)

type timeline struct {
	days    bool
	buckets map[int64]*Bucket // by the start, seconds since 1970
}

// at is the bucket of a time. Beyond all bounds it is the last one: a clock that
// runs through a century.
func (t *timeline) at(when time.Time) *Bucket {
	if t.buckets == nil {
		t.buckets = map[int64]*Bucket{}
	}
	if !t.days && len(t.buckets) >= maxHours {
		t.byDay()
	}
	start := t.start(when)
	b := t.buckets[start.Unix()]
	if b == nil {
		if len(t.buckets) >= maxDays {
			return t.buckets[slices.Max(keys(t.buckets))]
		}
		b = &Bucket{Start: start}
		t.buckets[start.Unix()] = b
	}
	return b
}

func (t *timeline) start(when time.Time) time.Time {
	if t.days {
		return startOf("day", when)
	}
	return startOf("hour", when)
}

func (t *timeline) byDay() {
	hours := t.buckets
	t.days, t.buckets = true, map[int64]*Bucket{}
	for _, h := range hours {
		t.at(h.Start).add(*h)
	}
}

func (b *Bucket) add(o Bucket) {
	b.Blocked += o.Blocked
	b.Warned += o.Warned
	b.Clean += o.Clean
	b.Unjudged += o.Unjudged
	b.Audited += o.Audited
	b.Excepted += o.Excepted
}

func keys(m map[int64]*Bucket) []int64 {
	out := make([]int64, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// bars are the counts in the finest unit that needs no more than maxBars of
// them, the empty stretches between included.
func (t *timeline) bars() (unit string, out []Bucket) {
	out = []Bucket{}
	starts := keys(t.buckets)
	if len(starts) == 0 {
		return "day", out
	}
	unit = t.unit(time.Duration(starts[len(starts)-1]-starts[0]) * time.Second)
	for _, k := range starts {
		b := *t.buckets[k]
		b.Start = startOf(unit, b.Start)
		for len(out) > 0 && out[len(out)-1].Start.Before(b.Start) {
			out = append(out, Bucket{Start: following(unit, out[len(out)-1].Start)})
		}
		if len(out) == 0 {
			out = append(out, Bucket{Start: b.Start})
		}
		out[len(out)-1].add(b)
	}
	return unit, out
}

func (t *timeline) unit(span time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case !t.days && span < dayHours*time.Hour:
		return "hour"
	case span < maxBars*day:
		return "day"
	case span < maxBars*7*day:
		return "week"
	case span < maxBars*28*day:
		return "month"
	}
	return "year"
}

// startOf is the start of the unit that holds t, in UTC; a week begins on Monday.
func startOf(unit string, t time.Time) time.Time {
	t = t.UTC()
	y, m, d := t.Date()
	switch unit {
	case "hour":
		return t.Truncate(time.Hour)
	case "week":
		return time.Date(y, m, d-(int(t.Weekday())+6)%7, 0, 0, 0, 0, time.UTC)
	case "month":
		return time.Date(y, m, 1, 0, 0, 0, 0, time.UTC)
	case "year":
		return time.Date(y, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
}

// following is the start of the next unit.
func following(unit string, start time.Time) time.Time {
	switch unit {
	case "hour":
		return start.Add(time.Hour)
	case "week":
		return start.AddDate(0, 0, 7)
	case "month":
		return start.AddDate(0, 1, 0)
	case "year":
		return start.AddDate(1, 0, 0)
	}
	return start.AddDate(0, 0, 1)
}

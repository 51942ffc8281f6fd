package period

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/phigate/phigate/policy"
)

// The numbers of 45 CFR part 164, subpart D.
const (
	// notifyDays bounds the time from a breach's discovery to the notice:
	// 164.404(b) and 164.406(b), and 164.408(c) from the end of the year.
	notifyDays = 60
	// notifyLine is the number of people from which the Secretary hears at the
	// same time as the people themselves, 164.408(b).
	notifyLine = 500
)

// People says whose data was met. It is an estimate and an aid: whether there was
// a breach is for people to assess (164.402).
type People struct {
	// Low is the largest image's low, since the same people can be in all;
	// Point and High add up the images, which supposes that nobody is in two.
	Individuals policy.Individuals `json:"individuals"`
	// Ran sums the images of which a container was admitted or ran, in the same way.
	Ran    policy.Individuals `json:"ran"`
	Images []Image            `json:"images"`
	// Unlisted images had no room; their people are in none of the sums.
	Unlisted int `json:"unlistedDecisions"`
}

// Image is an image, or what was judged where it has none, with people's data in it.
type Image struct {
	Image       string    `json:"image"`
	ImageDigest string    `json:"imageDigest"`
	Targets     []string  `json:"targets"`
	Decisions   int       `json:"decisions"`
	Refused     int       `json:"refused"`  // of these
	Admitted    int       `json:"admitted"` // of these
	First       time.Time `json:"first"`
	Last        time.Time `json:"last"`
	// Individuals are those of the decision with the most of them: decisions on
	// one image are about the same people.
	Individuals policy.Individuals `json:"individuals"`
	Notice      Notice             `json:"notice"`
	Evidence    []Evidence         `json:"evidence"`
}

// Notice is when notices would be due if the image's data had been breached, and
// the breach discovered on the day of the first record.
type Notice struct {
	People     time.Time `json:"people"`    // the last day, 164.404(b)
	Secretary  time.Time `json:"secretary"` // the last day, 164.408
	AtOnce     bool      `json:"atOnce"`    // with the notice to the people, 164.408(b): 500 or more
	Borderline bool      `json:"borderline"`
}

type peopleSum struct {
	images   map[string]*Image
	unlisted int
}

// add takes a verdict into account.
func (p *peopleSum) add(at Evidence, d *policy.Decision) {
	if d.Individuals.High <= 0 {
		return
	}
	key := cmp.Or(d.ImageDigest, d.Image, d.Target)
	i := p.images[key]
	if i == nil {
		if len(p.images) >= maxImages {
			p.unlisted++
			return
		}
		i = &Image{Image: d.Image, ImageDigest: d.ImageDigest, First: d.Time.UTC()}
		p.images[key] = i
	}
	i.Decisions++
	if d.Verdict == policy.Allow {
		i.Admitted++
	} else {
		i.Refused++
	}
	widen(&i.First, &i.Last, d.Time)
	i.Targets = withName(i.Targets, d.Target, examples)
	i.Evidence = proof(i.Evidence, at)
	i.Individuals.Low = max(i.Individuals.Low, d.Individuals.Low)
	i.Individuals.Point = max(i.Individuals.Point, d.Individuals.Point)
	i.Individuals.High = max(i.Individuals.High, d.Individuals.High)
}

func (p *peopleSum) sum() People {
	out := People{Images: []Image{}, Unlisted: p.unlisted}
	for _, i := range p.images {
		i.Notice = noticeOf(i.First, i.Individuals)
		out.Images = append(out.Images, *i)
		union(&out.Individuals, i.Individuals)
		if i.Admitted > 0 {
			union(&out.Ran, i.Individuals)
		}
	}
	slices.SortFunc(out.Images, func(a, b Image) int {
		return cmp.Or(b.Individuals.Point-a.Individuals.Point, b.Individuals.High-a.Individuals.High, a.First.Compare(b.First),
			strings.Compare(a.Image, b.Image), strings.Compare(a.ImageDigest, b.ImageDigest))
	})
	return out
}

// union bounds the people of two images: at least the larger of them, at most both.
func union(sum *policy.Individuals, i policy.Individuals) {
	sum.Low = max(sum.Low, i.Low)
	sum.Point += i.Point
	sum.High += i.High
}

// noticeOf counts days as 164.404(b) does: 60 calendar days after the day of
// discovery. Below the line the Secretary is told within 60 days after the end of
// the calendar year of discovery.
func noticeOf(discovered time.Time, i policy.Individuals) Notice {
	day := startOf("day", discovered)
	n := Notice{
		People: day.AddDate(0, 0, notifyDays), AtOnce: i.Point >= notifyLine,
		Borderline: i.Point < notifyLine && i.High >= notifyLine || i.Point >= notifyLine && i.Low < notifyLine,
	}
	n.Secretary = n.People
	if !n.AtOnce {
		n.Secretary = time.Date(day.Year(), time.December, 31+notifyDays, 0, 0, 0, 0, time.UTC)
	}
	return n
}

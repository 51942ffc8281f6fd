package simulate

import (
	"fmt"
	"io"
	"strings"

	"github.com/phigate/phigate/policy"
)

// ImagesText writes what would be refused, for people.
func ImagesText(w io.Writer, r *Images) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%d of %s would be refused", len(r.Refused), number(r.Total, "image", "images"))
	if len(r.Unknown) > 0 {
		fmt.Fprintf(&b, "; nothing is known of %d", len(r.Unknown))
	}
	b.WriteByte('\n')
	for _, i := range r.Refused {
		fmt.Fprintf(&b, "  refused  %s: %s [%s]\n", i.Image, i.First, strings.Join(i.Rules, ", "))
	}
	for _, u := range r.Unknown {
		fmt.Fprintf(&b, "  unknown  %s: %s\n", u.Image, u.Why)
	}
	writeCounts(&b, r.ByRule, "images")
	_, err := io.WriteString(w, b.String())
	return err
}

// DecisionsText writes what would have been decided otherwise, for people.
func DecisionsText(w io.Writer, r *Decisions) error {
	var b strings.Builder
	fmt.Fprintf(&b, "of %s, %d would be refused that were admitted, and %d admitted that were refused", number(r.Total, "decision", "decisions"), len(r.Refused), len(r.Admitted))
	if len(r.Unknown) > 0 {
		fmt.Fprintf(&b, "; %d are not known", len(r.Unknown))
	}
	b.WriteByte('\n')
	for _, part := range []struct {
		word  string
		flips []Flip
	}{{"refused ", r.Refused}, {"admitted", r.Admitted}} {
		for _, f := range part.flips {
			fmt.Fprintf(&b, "  %s  %d  %s  %s: %s\n", part.word, f.Seq, f.Time.UTC().Format("2006-01-02 15:04:05"), f.Target, policy.Printable(strings.Join(f.Why, "; ")))
		}
	}
	for _, u := range r.Unknown {
		fmt.Fprintf(&b, "  unknown   %d  %s\n", u.Seq, u.Why)
	}
	writeCounts(&b, r.ByRule, "decisions")
	if len(r.NotAsked) > 0 {
		fmt.Fprintf(&b, "not simulated, since no record can answer them: %s; see --images\n", policy.Printable(strings.Join(r.NotAsked, ", ")))
	}
	for _, n := range r.Notes {
		fmt.Fprintf(&b, "note: %s\n", n)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func writeCounts(b *strings.Builder, counts []Count, of string) {
	for _, c := range counts {
		fmt.Fprintf(b, "%7d %s: %s\n", c.Count, of, policy.Printable(c.Rule))
	}
}

func number(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

package main

import (
	"fmt"
	"slices"
	"time"
)

// times are the samples of one measurement.
type times []time.Duration

// at is the percentile p by nearest rank: the smallest sample that at least p
// of a hundred do not exceed.
func (t times) at(p int) time.Duration {
	sorted := slices.Sorted(slices.Values(t))
	return sorted[max(0, (len(sorted)*p+99)/100-1)]
}

func ms(d time.Duration) string { return fmt.Sprintf("%.2f ms", float64(d)/float64(time.Millisecond)) }

func seconds(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }

// goal prints whether a goal was met.
func goal(what string, met bool, format string, args ...any) {
	word := "missed"
	if met {
		word = "met"
	}
	fmt.Printf("goal %-7s %s: %s\n", word, what, fmt.Sprintf(format, args...))
}

func median(of []float64) float64 {
	sorted := slices.Sorted(slices.Values(of))
	return sorted[len(sorted)/2]
}

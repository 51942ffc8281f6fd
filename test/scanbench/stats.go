package main

import (
	"cmp"
	"slices"
	"time"
)

// median is the middle one, or the mean of the two in the middle.
func median[T ~int64](of []T) T {
	if len(of) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(of))
	half := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[half]
	}
	return sorted[half-1] + (sorted[half]-sorted[half-1])/2
}

// spread is the least and the greatest.
func spread[T cmp.Ordered](of []T) (least, greatest T) {
	if len(of) == 0 {
		return least, greatest
	}
	return slices.Min(of), slices.Max(of)
}

// result is what a contestant cost over all rounds.
type result struct {
	name      string
	rounds    int
	wall, cpu time.Duration    // medians
	cpuSpread [2]time.Duration // the least, the greatest
	read      int64            // median of bytes
	peak      int64            // the greatest, in bytes
	found     string
}

func resultsOf(all []*contestant) []result {
	var results []result
	for _, c := range all {
		results = append(results, resultOf(c.name, c.result, c.samples))
	}
	return results
}

func resultOf(name, found string, samples []sample) result {
	r := result{name: name, rounds: len(samples), found: found}
	var walls, cpus []time.Duration
	var reads []int64
	for _, s := range samples {
		walls, cpus, reads = append(walls, s.wall), append(cpus, s.cpu), append(reads, s.read)
		r.peak = max(r.peak, s.peak)
	}
	r.wall, r.cpu, r.read = median(walls), median(cpus), median(reads)
	r.cpuSpread[0], r.cpuSpread[1] = spread(cpus)
	return r
}

package main

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestMedian(t *testing.T) {
	tests := map[string]struct {
		of   []int64
		want int64
	}{
		"none": {nil, 0},
		"one":  {[]int64{7}, 7},
		"odd":  {[]int64{9, 1, 5}, 5},
		"even": {[]int64{4, 1, 9, 2}, 3},
		"huge": {[]int64{1<<62 + 2, 1 << 62}, 1<<62 + 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := median(tt.of); got != tt.want {
				t.Errorf("got %d, want %d", got, tt.want)
			}
		})
	}
}

func TestResultOf(t *testing.T) {
	s := time.Second
	got := resultOf("a", "3 findings", []sample{{3 * s, 2 * s, 10, 100}, {1 * s, 5 * s, 30, 100}, {2 * s, 4 * s, 20, 101}})
	want := result{name: "a", rounds: 3, wall: 2 * s, cpu: 4 * s, cpuSpread: [2]time.Duration{2 * s, 5 * s}, read: 100, peak: 30, found: "3 findings"}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(result{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

package policy

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestPodRequester(t *testing.T) {
	type m = map[string]string
	for name, test := range map[string]struct {
		annotations, labels m
		want                Requester
	}{
		"nothing_says":   {nil, m{"app": "portal", "pod-template-hash": "7c9d8f6b5d"}, Requester{Name: "unknown"}},
		"annotation":     {m{RequesterAnnotation: "jane@clinic.example"}, m{"batch.kubernetes.io/job-name": "nightly"}, Requester{"jane@clinic.example", FromAnnotation}},
		"static_pod":     {m{"kubernetes.io/config.source": "file"}, nil, Requester{"static pod, file", FromKubelet}},
		"by_the_api":     {m{"kubernetes.io/config.source": "api"}, nil, Requester{Name: "unknown"}},
		"job":            {nil, m{"batch.kubernetes.io/job-name": "nightly"}, Requester{"Job nightly", FromOwner}},
		"stateful_set":   {nil, m{"statefulset.kubernetes.io/pod-name": "pacs-db-12"}, Requester{"StatefulSet pacs-db", FromOwner}},
		"no_set_is_told": {nil, m{"statefulset.kubernetes.io/pod-name": "pacs"}, Requester{Name: "unknown"}},
		"hostile":        {m{RequesterAnnotation: "a\nb\x1b[31m"}, nil, Requester{`a\nb\x1b[31m`, FromAnnotation}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := PodRequester(test.annotations, test.labels); got != test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
	long := PodRequester(pair(RequesterAnnotation, strings.Repeat("é", 5000)), nil).Name
	if len(long) > maxRequester || !utf8.ValidString(long) {
		t.Errorf("a long name becomes %d bytes", len(long))
	}
}

func pair(key, value string) map[string]string { return map[string]string{key: value} }

// A container's record always says who asked; that of an image at rest does not.
func TestDecisionNamesItsRequester(t *testing.T) {
	v := Verdict{Policy: "sha256:00", PolicyVersion: "clinic 3"}
	d := NewDecision(&Subject{ID: "c1", Image: Image{Config: "sha256:01"}}, v, time.Time{}, 0)
	if d.Requester.Name != UnknownRequester || d.ImageConfig != "sha256:01" || d.PolicyVersion != "clinic 3" {
		t.Errorf("got %+v, %q, %q", d.Requester, d.ImageConfig, d.PolicyVersion)
	}
	if d := NewDecision(&Subject{Name: "image:1"}, v, time.Time{}, 0); d.Requester != (Requester{}) {
		t.Errorf("nobody asked, and the record names %+v", d.Requester)
	}
}

// A record tells of a count its bucket alone.
func TestCountBuckets(t *testing.T) {
	for n, want := range map[int]Record{
		0: {}, 1: {Count: 1}, 2: {Count: 2, CountBucket: "2-10"}, 10: {Count: 2, CountBucket: "2-10"}, 11: {Count: 11, CountBucket: "11-100"},
		100: {Count: 11, CountBucket: "11-100"}, 999: {Count: 101, CountBucket: "101-1000"}, 1203: {Count: 1001, CountBucket: "1001-10000"},
		10_000: {Count: 1001, CountBucket: "1001-10000"}, 10_001: {Count: 10_001, CountBucket: ">10000"}, 5_000_000: {Count: 10_001, CountBucket: ">10000"},
	} {
		d := NewDecision(&Subject{}, Verdict{Findings: []Judged{{Finding: Finding{Count: n}}}}, time.Time{}, 0)
		if got := d.Findings[0]; got.Count != want.Count || got.CountBucket != want.CountBucket {
			t.Errorf("%d becomes %d in %q, want %d in %q", n, got.Count, got.CountBucket, want.Count, want.CountBucket)
		}
	}
	old, fresh, once := Record{Count: 1203}, Record{Count: 11, CountBucket: "11-100"}, Record{Count: 1}
	if old.Matches() != "1,203 matches" || fresh.Matches() != "11-100 matches" || once.Matches() != "" {
		t.Errorf("got %q, %q, %q", old.Matches(), fresh.Matches(), once.Matches())
	}
}

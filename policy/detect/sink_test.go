package detect_test

import (
	"testing"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/detect"
	"github.com/phigate/phigate/policy/detect/detecttest"
)

// TestFoundAs: the first message stays, and takes the title's place.
func TestFoundAs(t *testing.T) {
	d := detect.Detector{
		Info:    policy.Info{ID: "a-secret", Title: "A secret"},
		Anchors: []string{"aaaa", "bbbb", "cccc"},
		Near: func(h detect.Hit, s *detect.Sink) {
			switch h.Anchor {
			case 0:
				s.Found(h.Off)
			case 1:
				s.FoundAs("first kind", h.Off)
			case 2:
				s.FoundAs("second kind", h.Off)
			}
		},
	}
	for content, want := range map[string]string{
		"aaaa":           "A secret",
		"bbbb cccc bbbb": "first kind",
		"cccc bbbb":      "second kind",
		"aaaa cccc":      "second kind",
	} {
		got := detecttest.Run(d, "/a", []byte(content)).Of("a-secret")
		if got == nil || got.Message != want {
			t.Errorf("%q is not reported as %q", content, want)
		}
		if n := len(content) / 5; got != nil && got.Count != n+1 {
			t.Errorf("%q counts %d, want %d", content, got.Count, n+1)
		}
	}
}

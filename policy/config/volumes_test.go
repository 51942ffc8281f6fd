package config

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPHIVolumesOfEachForm(t *testing.T) {
	text := ownHead + "spec:\n  phiVolumes: [\"/srv/ephi/**\", \"/srv/codes/:ro\", \"container:/data/phi\"]\n"
	p, problems := Compile([]File{{Name: "p.yaml", Data: []byte(text)}}, whole())
	if p == nil {
		t.Fatal(problems)
	}
	if diff := cmp.Diff([]string{"/srv/ephi/**", "/srv/codes:ro", "container:/data/phi"}, p.Documents[0].PHIVolumes); diff != "" {
		t.Errorf("volumes (-want +got):\n%s", diff)
	}
	for _, wrong := range []string{"container:data", "container:/", "container:/data/*", "container:/data:ro", ":ro", "srv:ro"} {
		p, problems := Compile([]File{{Name: "p.yaml", Data: []byte(ownHead + "spec:\n  phiVolumes: [\"" + wrong + "\"]\n")}}, whole())
		if p != nil || len(problems.Errors()) == 0 {
			t.Errorf("%q is taken", wrong)
		}
	}
}

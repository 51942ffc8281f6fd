package simulate_test

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/google/go-cmp/cmp"

	"github.com/phigate/phigate/plugin/cache"
	"github.com/phigate/phigate/plugin/engine"
	"github.com/phigate/phigate/plugin/inspect"
	"github.com/phigate/phigate/plugin/rootfs"
	"github.com/phigate/phigate/plugin/simulate"
	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/config"
	"github.com/phigate/phigate/policy/detect/catalogue"
	"github.com/phigate/phigate/policy/rules"
)

// facts fills a store as phigated would: a base of its own for every tenth
// image, and three layers of each image's own.
func facts(tb testing.TB, path string, images, names int) []*policy.Subject {
	store, err := cache.Open(path, "v-key", slog.New(slog.DiscardHandler))
	if err != nil {
		tb.Fatal(err)
	}
	defer store.Close()
	layer := func(key string, names int, found ...policy.Finding) {
		w, err := store.Begin(key)
		if err != nil {
			tb.Fatal(err)
		}
		defer w.Abort()
		for i := range names {
			if err := w.Add(cache.Name{Path: fmt.Sprintf("/usr/lib/%s/file-%06d.so", key, i), Kind: rootfs.Regular, Size: 1}); err != nil {
				tb.Fatal(err)
			}
		}
		if len(found) > 0 {
			if err := w.Add(cache.Name{Path: "/usr/share/patients.csv", Kind: rootfs.Regular, Size: 1}); err != nil {
				tb.Fatal(err)
			}
		}
		if err := w.Commit(cache.Facts{Findings: found, Coverage: policy.Coverage{Files: int64(names)}}); err != nil {
			tb.Fatal(err)
		}
	}
	var subjects []*policy.Subject
	for i := range images {
		base := fmt.Sprintf("base-%d", i/10)
		if i%10 == 0 {
			layer(base, 10*names)
		}
		s := &policy.Subject{
			Name: "image", Gate: policy.GateScan, Image: policy.Image{Ref: fmt.Sprintf("registry.example/app:%d", i)},
			Layers: []string{base}, Spec: &specs.Spec{Process: &specs.Process{Env: []string{"PATH=/bin"}}},
			Sees: policy.FactFiles | policy.FactEnv | policy.FactPorts, Never: ^(policy.FactFiles | policy.FactEnv | policy.FactPorts),
		}
		for l := range 3 {
			key := fmt.Sprintf("layer-%d-%d", i, l)
			if i%100 == 7 && l == 2 {
				layer(key, names, policy.Finding{Rule: "phi-table", Message: "table of patients", Where: policy.Where{Path: "/usr/share/patients.csv"}, Individuals: policy.Individuals{Low: 9, Point: 10, High: 11}})
			} else {
				layer(key, names)
			}
			s.Layers = append(s.Layers, key)
		}
		subjects = append(subjects, s)
	}
	return subjects
}

func examplePolicy(tb testing.TB) *policy.Policy {
	data, err := os.ReadFile("../../deploy/policies/example.yaml")
	if err != nil {
		tb.Fatal(err)
	}
	p, problems := config.Compile([]config.File{{Name: "example.yaml", Data: data}}, inspect.Catalogue())
	if p == nil {
		tb.Fatal(problems)
	}
	return p
}

func images(tb testing.TB, path string, subjects []*policy.Subject, p *policy.Policy) *simulate.Images {
	store, err := cache.Snapshot(path, "v-", tb.TempDir())
	if err != nil {
		tb.Fatal(err)
	}
	defer store.Close()
	e := engine.New(nobody{}, &inspect.Spec{Rules: rules.All()}, &inspect.Files{Store: store, Rules: len(catalogue.All())})
	e.SetPolicy(p)
	out, err := simulate.JudgeImages(tb.Context(), subjects, e, p, runtime.GOMAXPROCS(0))
	if err != nil {
		tb.Fatal(err)
	}
	return out
}

func TestJudgeImages(t *testing.T) {
	path := filepath.Join(t.TempDir(), "facts.db")
	out := images(t, path, facts(t, path, 20, 3), examplePolicy(t))
	want := &simulate.Images{
		Total: 20, Unknown: []simulate.Unknown{},
		Refused: []simulate.Refusal{{
			Image: "registry.example/app:7", Rules: []string{"no-patient-files", "phi-table"}, First: "forbidden file in file /usr/share/patients.csv",
		}},
		ByRule: []simulate.Count{{Rule: "no-patient-files", Count: 1}, {Rule: "phi-table", Count: 1}},
	}
	if diff := cmp.Diff(want, out); diff != "" {
		t.Errorf("simulated otherwise (-want +got):\n%s", diff)
	}
}

// BenchmarkImages judges 1,000 images of 4 layers and 3,900 names each, the copy
// of the facts of a running phigated included: 1.2 million names in all.
func BenchmarkImages(b *testing.B) {
	path := filepath.Join(b.TempDir(), "facts.db")
	subjects, p := facts(b, path, 1000, 300), examplePolicy(b)
	for b.Loop() {
		if out := images(b, path, subjects, p); len(out.Refused) != 10 {
			b.Fatalf("%d images refused; want 10", len(out.Refused))
		}
	}
	b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N)/1000, "s/1000-images")
}

type nobody struct{ engine.Recorder }

func (nobody) Last() time.Time { return time.Time{} }

package inspect

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/phigate/phigate/plugin/cache"
	"github.com/phigate/phigate/plugin/rootfs"
	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/detect"
)

// image makes one folder per layer and scans them; in each, a name ending with
// "/" is a folder, "-name" a whiteout, "!name" an opaque folder, "name>target"
// a link, and all else a file with a finding.
func image(t testing.TB, s *cache.Store, layers ...[]string) (keys, dirs []string) {
	t.Helper()
	for i, names := range layers {
		d := t.TempDir()
		for _, name := range names {
			entry(t, d, name)
		}
		key := fmt.Sprintf("sha256:%d", i)
		scanTree(t, s, key, rootfs.Layer(d), marker("mark", nil))
		keys, dirs = append(keys, key), append(dirs, d)
	}
	return keys, dirs
}

func entry(t testing.TB, root, name string) {
	t.Helper()
	at := func(name string) string {
		full := filepath.Join(root, name)
		must(t, os.MkdirAll(filepath.Dir(full), 0o755))
		return full
	}
	if link, target, ok := strings.Cut(name, ">"); ok {
		must(t, os.Symlink(target, at(link)))
		return
	}
	switch {
	case strings.HasPrefix(name, "-"):
		must(t, unix.Mknod(at(name[1:]), unix.S_IFCHR, 0))
	case strings.HasPrefix(name, "!"):
		must(t, os.MkdirAll(at(name[1:]), 0o755))
		must(t, unix.Setxattr(filepath.Join(root, name[1:]), "trusted.overlay.opaque", []byte("y"), 0))
	case strings.HasSuffix(name, "/"):
		must(t, os.MkdirAll(at(name), 0o755))
	default:
		write(t, at(name), "MARK")
	}
}

func subject(layers ...string) *policy.Subject {
	return &policy.Subject{Layers: layers, Sees: policy.FactFiles}
}

// places are the findings of a rule as "layer path", deleted ones in brackets.
func places(r policy.Report, rule string) []string {
	out := []string{}
	for _, f := range r.Findings {
		if f.Rule != rule {
			continue
		}
		place := strings.TrimPrefix(f.Where.Layer, "sha256:") + " " + f.Where.Path
		if f.Where.Deleted {
			place = "(" + place + ")"
		}
		out = append(out, place)
	}
	slices.Sort(out)
	return out
}

func TestMergeTellsDeletedFiles(t *testing.T) {
	tests := map[string]struct {
		layers [][]string
		want   []string
	}{
		"visible":                 {[][]string{{"a/f"}, {"b"}}, []string{"0 /a/f", "1 /b"}},
		"whiteout":                {[][]string{{"a/f", "a/g"}, {"-a/f"}}, []string{"(0 /a/f)", "0 /a/g"}},
		"whiteout_of_a_folder":    {[][]string{{"a/b/f"}, {"-a"}}, []string{"(0 /a/b/f)"}},
		"opaque":                  {[][]string{{"a/b/f", "a.x"}, {"!a"}}, []string{"(0 /a/b/f)", "0 /a.x"}},
		"opaque_keeps_its_own":    {[][]string{{"a/f"}, {"!a", "a/g"}}, []string{"(0 /a/f)", "1 /a/g"}},
		"replaced":                {[][]string{{"f"}, {"f"}}, []string{"(0 /f)", "1 /f"}},
		"replaced_by_a_folder":    {[][]string{{"f"}, {"f/"}}, []string{"(0 /f)"}},
		"folder_replaced_by_file": {[][]string{{"a/f"}, {"a"}}, []string{"(0 /a/f)", "1 /a"}},
		"folder_replaced_by_link": {[][]string{{"a/f"}, {"a>b"}}, []string{"(0 /a/f)"}},
		"back_after_whiteout":     {[][]string{{"f"}, {"-f"}, {"f"}}, []string{"(0 /f)", "2 /f"}},
		"folder_back":             {[][]string{{"a/f"}, {"-a"}, {"a/g"}}, []string{"(0 /a/f)", "2 /a/g"}},
		"lower_whiteout":          {[][]string{{"-a", "b"}, {"a"}}, []string{"0 /b", "1 /a"}},
		"merged_folders":          {[][]string{{"a/f"}, {"a/g"}, {"a/h"}}, []string{"0 /a/f", "1 /a/g", "2 /a/h"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := store(t)
			keys, _ := image(t, s, test.layers...)
			report := (&Files{Store: s, Rules: 1}).Inspect(t.Context(), subject(keys...), &policy.Policy{Digest: "d"})
			if diff := cmp.Diff(test.want, places(report, "mark")); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
			people := map[string]bool{} // deleted files count, too
			for _, place := range test.want {
				_, path, _ := strings.Cut(strings.Trim(place, "()"), " ")
				people[path] = true
			}
			want := policy.Individuals{Low: len(people), Point: len(people), High: len(people)}
			if report.Individuals != want || len(report.Skipped) != 0 || report.Coverage.Rules != 1 {
				t.Errorf("individuals %+v, %d skipped, coverage %+v", report.Individuals, len(report.Skipped), report.Coverage)
			}
		})
	}
}

// TestMergeAgreesWithTheKernel mounts random layers and compares which marked
// files can be seen.
func TestMergeAgreesWithTheKernel(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 11))
	names := []string{"a", "b", "c"}
	for round := range 60 {
		s := store(t)
		var layers [][]string
		for range 2 + random.IntN(4) {
			layers = append(layers, randomLayer(random, names))
		}
		keys, dirs := image(t, s, layers...)
		report := (&Files{Store: s}).Inspect(t.Context(), subject(keys...), &policy.Policy{Digest: "d"})
		got := []string{}
		for _, f := range report.Findings {
			if !f.Where.Deleted {
				got = append(got, f.Where.Path)
			}
		}
		slices.Sort(got)
		if diff := cmp.Diff(overlayFiles(t, dirs), got); diff != "" {
			t.Fatalf("round %d, layers %q: visible files (-kernel +merge):\n%s", round, layers, diff)
		}
	}
}

// randomLayer is a consistent tree of whiteouts, opaque folders, files and links.
func randomLayer(random *rand.Rand, names []string) []string {
	var out []string
	var fill func(prefix string, depth int)
	fill = func(prefix string, depth int) {
		for _, name := range names {
			path := prefix + name
			switch n := random.IntN(10); {
			case n < 4 && depth < 4:
				mark := path + "/"
				if random.IntN(4) == 0 {
					mark = "!" + path
				}
				out = append(out, mark)
				fill(path+"/", depth+1)
			case n == 4:
				out = append(out, "-"+path)
			case n == 5:
				out = append(out, path+">a")
			case n < 8:
				out = append(out, path)
			}
		}
	}
	fill("", 0)
	return out
}

func overlayFiles(t *testing.T, dirs []string) []string {
	t.Helper()
	lower := slices.Clone(dirs)
	slices.Reverse(lower)
	merged := t.TempDir()
	must(t, unix.Mount("overlay", merged, "overlay", unix.MS_RDONLY, "lowerdir="+strings.Join(lower, ":")))
	defer unix.Unmount(merged, unix.MNT_DETACH)
	out := []string{}
	must(t, filepath.WalkDir(merged, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			out = append(out, strings.TrimPrefix(path, merged))
		}
		return err
	}))
	slices.Sort(out)
	return out
}

func fileRule(id string, prefixes []string, match func(string) bool) policy.FileRule {
	return policy.FileRule{Info: policy.Info{ID: id}, Match: match, Prefixes: prefixes, Message: "file by rule"}
}

func belowRule(folder string) policy.FileRule {
	return fileRule("below", []string{folder}, func(p string) bool { return strings.HasPrefix(p, folder) })
}

func TestFileRulesMatchThroughLinks(t *testing.T) {
	tests := map[string]struct {
		layers [][]string
		want   []string
	}{
		"plain":               {[][]string{{"data/phi/x", "data/phi/y/z", "data/phix", "other"}}, []string{"0 /data/phi/x", "0 /data/phi/y/z"}},
		"deleted":             {[][]string{{"data/phi/x"}, {"-data/phi/x"}}, []string{"(0 /data/phi/x)"}},
		"absolute_link":       {[][]string{{"srv/real/x"}, {"data/phi>/srv/real"}}, []string{"0 /srv/real/x"}},
		"relative_link":       {[][]string{{"srv/real/x", "data/phi>../srv/real"}}, []string{"0 /srv/real/x"}},
		"link_above":          {[][]string{{"srv/phi/x", "data>srv"}}, []string{"0 /srv/phi/x"}},
		"dots_stay_inside":    {[][]string{{"etc/x", "data/phi>../../../../../etc"}}, []string{"0 /etc/x"}},
		"chain_of_links":      {[][]string{{"d/x", "data/phi>/b", "b>c", "c>./d/."}}, []string{"0 /d/x"}},
		"loop":                {[][]string{{"data/phi>/data/b", "data/b>/data/phi", "x"}}, []string{}},
		"link_to_itself":      {[][]string{{"data/phi>phi"}}, []string{}},
		"link_to_the_root":    {[][]string{{"data/phi>/", "x"}}, []string{"0 /x"}},
		"link_was_deleted":    {[][]string{{"srv/x", "data/phi>/srv"}, {"-data/phi"}}, []string{}},
		"link_was_replaced":   {[][]string{{"srv/x", "data/phi>/srv"}, {"data/phi/y"}}, []string{"1 /data/phi/y"}},
		"link_in_upper_layer": {[][]string{{"srv/x", "data/phi/y"}, {"data/phi>/srv"}}, []string{"(0 /data/phi/y)", "0 /srv/x"}},
		"a_link_is_no_file":   {[][]string{{"data/phi/x>/etc/passwd"}}, []string{}},
		"below_a_dead_folder": {[][]string{{"srv/a/x", "data/phi>/srv/a"}, {"-srv"}}, []string{"(0 /srv/a/x)"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := store(t)
			keys, _ := image(t, s, test.layers...)
			p := &policy.Policy{Digest: "d", Documents: []policy.Document{{FileRules: []policy.FileRule{belowRule("/data/phi/")}}}}
			report := (&Files{Store: s}).Inspect(t.Context(), subject(keys...), p)
			if diff := cmp.Diff(test.want, places(report, "below")); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
			if len(report.Skipped) > 0 {
				t.Errorf("%d skipped", len(report.Skipped))
			}
		})
	}
	t.Run("too_many_names_on_the_way", func(t *testing.T) {
		s := store(t)
		keys, _ := image(t, s, []string{"data/phi>/" + strings.Repeat("x/", maxSteps+1)})
		p := &policy.Policy{Digest: "d", Documents: []policy.Document{{FileRules: []policy.FileRule{belowRule("/data/phi/")}}}}
		report := (&Files{Store: s}).Inspect(t.Context(), subject(keys...), p)
		if len(report.Skipped) != 1 || report.Skipped[0].Kind != policy.Unreadable {
			t.Errorf("%d skipped", len(report.Skipped))
		}
	})
}

func TestFileRulesOfSelectedDocumentsAlone(t *testing.T) {
	s := store(t)
	keys, _ := image(t, s, []string{"a.csv", "b.sql", "c\xff.csv"})
	suffix := func(id, end string) policy.FileRule {
		return fileRule(id, nil, func(p string) bool { return strings.HasSuffix(p, end) })
	}
	only := func(ns string) policy.Selector {
		return policy.Selector{MatchNamespace: func(n string) bool { return n == ns }}
	}
	p := &policy.Policy{Digest: "d", Documents: []policy.Document{
		{FileRules: []policy.FileRule{suffix("csv", ".csv"), suffix("sql", ".sql")}, Selector: only("one")},
		{FileRules: []policy.FileRule{suffix("csv", ".csv")}},
	}}
	f := &Files{Store: s}
	for ns, want := range map[string][]string{"one": {"csv /a.csv", "csv /c\xff.csv", "sql /b.sql"}, "two": {"csv /a.csv", "csv /c\xff.csv"}} {
		sub := subject(keys...)
		sub.Pod.Namespace = ns
		var got []string
		for _, finding := range f.Inspect(t.Context(), sub, p).Findings {
			if finding.Rule != "mark" {
				got = append(got, finding.Rule+" "+finding.Where.Path)
			}
		}
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("namespace %s (-want +got):\n%s", ns, diff)
		}
	}
}

func TestManyMatchesAreCounted(t *testing.T) {
	s := store(t)
	w, err := s.Begin("k")
	must(t, err)
	const n = maxFindings + 77
	for i := range n {
		must(t, w.Add(cache.Name{Path: fmt.Sprintf("/f%06d.csv", i)}))
	}
	must(t, w.Commit(cache.Facts{}))
	rule := fileRule("csv", nil, func(p string) bool { return strings.HasSuffix(p, ".csv") })
	p := &policy.Policy{Digest: "d", Documents: []policy.Document{{FileRules: []policy.FileRule{rule}}}}
	report := (&Files{Store: s}).Inspect(t.Context(), subject("k"), p)
	counted := 0
	for _, f := range report.Findings {
		counted += max(f.Count, 1)
	}
	if counted != n || len(report.Findings) > maxFindings+2 {
		t.Errorf("%d counted in %d findings", counted, len(report.Findings))
	}
}

func TestGatesThatDoNotSeeFiles(t *testing.T) {
	f := &Files{Store: store(t)}
	none := &policy.Policy{}
	tests := map[string]struct {
		subject  policy.Subject
		deferred int
		skipped  string
	}{
		"later":       {policy.Subject{Later: policy.FactFiles, LaterGate: policy.GateStart}, 1, ""},
		"never":       {policy.Subject{Never: policy.FactFiles}, 0, ""},
		"unknown":     {policy.Subject{}, 0, "the files cannot be seen at this gate"},
		"no_layers":   {policy.Subject{Sees: policy.FactFiles}, 0, "the layers of the root filesystem are not known"},
		"not_scanned": {policy.Subject{Sees: policy.FactFiles, Layers: []string{"a", "b"}}, 0, "not scanned yet"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			report := f.Inspect(t.Context(), &test.subject, none)
			if len(report.Deferred) != test.deferred || test.deferred > 0 && report.Deferred[0].Gate != policy.GateStart {
				t.Errorf("deferred: %+v", report.Deferred)
			}
			want := []policy.Skipped(nil)
			if test.skipped != "" {
				want = []policy.Skipped{{Where: "image", Rule: "files", Reason: test.skipped, Kind: policy.Undecided}}
			}
			if diff := cmp.Diff(want, report.Skipped); diff != "" {
				t.Errorf("skipped (-want +got):\n%s", diff)
			}
		})
	}
}

func TestColdLayersAndChangesAreSeen(t *testing.T) {
	s := store(t)
	keys, _ := image(t, s, []string{"a"}, []string{"b"})
	f := &Files{Store: s}
	p := &policy.Policy{Digest: "d"}
	report := f.Inspect(t.Context(), subject(append(keys, "cold")...), p)
	if len(report.Skipped) != 1 || len(report.Findings) != 2 {
		t.Fatalf("a cold layer: %d skipped, %d findings", len(report.Skipped), len(report.Findings))
	}
	must(t, s.Alias("cold", keys[0]))
	if report = f.Inspect(t.Context(), subject(append(keys, "cold")...), p); len(report.Skipped) != 0 {
		t.Errorf("after it was scanned: %d skipped", len(report.Skipped))
	}
	must(t, s.Drop(keys[1]))
	if report = f.Inspect(t.Context(), subject(append(keys, "cold")...), p); len(report.Skipped) != 1 {
		t.Errorf("after a layer was dropped: %d skipped", len(report.Skipped))
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if report = f.Inspect(ended, subject(keys[0]), p); len(report.Skipped) != 1 || report.Skipped[0].Kind != policy.Undecided {
		t.Errorf("after the deadline: %d skipped", len(report.Skipped))
	}
	// A layer that stands twice in an image is reported once.
	if got := places(f.Inspect(t.Context(), subject(keys[0], keys[0]), p), "mark"); len(got) != 1 || strings.HasPrefix(got[0], "(") {
		t.Errorf("a layer that stands twice: %v", got)
	}
}

func TestRepeatedLookUpsAreFastAndAgree(t *testing.T) {
	s := store(t)
	var layers [][]string
	for i := range 20 {
		var names []string
		for j := range 40 {
			names = append(names, fmt.Sprintf("usr/d%d/f%d-%d.csv", j%7, i, j))
		}
		layers = append(layers, names)
	}
	keys, _ := image(t, s, layers...)
	rule := fileRule("csv", nil, func(p string) bool { return strings.HasSuffix(p, ".csv") })
	p := &policy.Policy{Digest: "d", Documents: []policy.Document{{FileRules: []policy.FileRule{rule}}}}
	f := &Files{Store: s}
	count := func() map[string]int {
		out := map[string]int{}
		for _, finding := range f.Inspect(t.Context(), subject(keys...), p).Findings {
			out[finding.Rule]++
		}
		return out
	}
	want := map[string]int{"mark": 800, "csv": 800, detect.RuleIndividuals: 1}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 5 {
				if got := count(); !maps.Equal(got, want) {
					t.Errorf("got %v", got)
				}
			}
		})
	}
	wg.Wait()
	best := time.Hour
	for range 50 {
		began := time.Now()
		f.Inspect(t.Context(), subject(keys...), p)
		best = min(best, time.Since(began))
	}
	if best > 5*time.Millisecond {
		t.Errorf("a repeated look-up takes %s", best)
	}
}

func BenchmarkRepeatedLookUp(b *testing.B) {
	s := store(b)
	keys, _ := image(b, s, []string{"usr/a", "etc/b"}, []string{"data/c"})
	f := &Files{Store: s}
	p := &policy.Policy{Digest: "d", Documents: []policy.Document{{FileRules: []policy.FileRule{belowRule("/data/")}}}}
	for b.Loop() {
		f.Inspect(b.Context(), subject(keys...), p)
	}
}

// BenchmarkFirstLookUp is an image of 20 layers, the lowest with 100,000 names
// of which a rule matches 2,000, without anything remembered.
func BenchmarkFirstLookUp(b *testing.B) {
	s := store(b)
	var keys []string
	for layer := range 20 {
		key := fmt.Sprintf("sha256:%d", layer)
		w, err := s.Begin(key)
		must(b, err)
		n := 100_000
		if layer > 0 {
			n = 2000
		}
		for i := range n {
			end := ".js"
			if i%50 == 0 {
				end = ".csv"
			}
			must(b, w.Add(cache.Name{Path: fmt.Sprintf("/usr/lib/%d/package-%04d/f%05d%s", layer%3, i/100, i, end)}))
		}
		must(b, w.Commit(cache.Facts{}))
		keys = append(keys, key)
	}
	rule := fileRule("csv", nil, func(p string) bool { return strings.HasSuffix(p, ".csv") })
	p := &policy.Policy{Digest: "d", Documents: []policy.Document{{FileRules: []policy.FileRule{rule}}}}
	for b.Loop() {
		(&Files{Store: s}).Inspect(b.Context(), subject(keys...), p)
	}
}

func TestMountedImagesAreJudgedWhereTheyAreSeen(t *testing.T) {
	s := store(t)
	keys, _ := image(t, s, []string{"a"}, []string{"x/y", "z"})
	p := &policy.Policy{Digest: "d", Documents: []policy.Document{{FileRules: []policy.FileRule{belowRule("/data/phi/")}}}}
	f := &Files{Store: s}
	sub := subject(keys[0])
	sub.Volumes = []policy.Volume{{Destination: "/data/phi", Layers: keys[1:]}}
	report := f.Inspect(t.Context(), sub, p)
	if diff := cmp.Diff([]string{"1 /data/phi/x/y", "1 /data/phi/z"}, places(report, "below")); diff != "" {
		t.Errorf("by rule (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"0 /a", "1 /data/phi/x/y", "1 /data/phi/z"}, places(report, "mark")); diff != "" {
		t.Errorf("by detector (-want +got):\n%s", diff)
	}
	sub.Volumes[0].Destination = "/srv"
	if got := places(f.Inspect(t.Context(), sub, p), "below"); len(got) != 0 {
		t.Errorf("mounted elsewhere: %v", got)
	}
	sub.Volumes[0].Layers = nil
	if got := f.Inspect(t.Context(), sub, p).Skipped; len(got) != 1 || got[0].Kind != policy.Undecided {
		t.Errorf("%d skipped for a volume without layers", len(got))
	}
}

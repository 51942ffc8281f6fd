package arrival

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/phigate/phigate/plugin/containerd"
	"github.com/phigate/phigate/policy"
)

const (
	digest = "sha256:bad"
	path   = "/data/patients.csv"
)

// world is what the door asks; the image is here while it is not nil.
type world struct {
	image   *containerd.Image
	keys    []string
	records []*policy.Decision
	mute    error
	reading chan *policy.Decision
}

func (w *world) ImageByDigest(_ context.Context, d string) (*containerd.Image, error) {
	if w.image == nil || w.image.Digest != d {
		return nil, containerd.ErrNotFound
	}
	return w.image, nil
}
func (w *world) Inspect(_ context.Context, s *policy.Subject, _ *policy.Policy) policy.Report {
	if len(s.Layers) == 0 {
		return policy.Report{}
	}
	return policy.Report{Findings: []policy.Finding{{Rule: "phi-table", Message: "Table of patients", Where: policy.Where{Path: path}, Fingerprint: "f"}}}
}
func (w *world) Seq() uint64     { return uint64(len(w.records)) }
func (w *world) Last() time.Time { return time.Time{} }
func (w *world) Record(_ context.Context, d *policy.Decision) (uint64, error) {
	if w.mute != nil {
		return 0, w.mute
	}
	w.records = append(w.records, d)
	return 7, nil
}
func (w *world) Wait(ctx context.Context, _ uint64) error { return ctx.Err() }
func (w *world) Read(ctx context.Context, _ uint64, fn func(*policy.Decision) error) error {
	select {
	case d := <-w.reading:
		return fn(d)
	case <-ctx.Done():
		return ctx.Err()
	}
}

func open(t *testing.T, w *world, file string) *Door {
	t.Helper()
	m, err := OpenMemory(file, func(file string, data []byte) error { return os.WriteFile(file, data, 0o600) })
	if err != nil {
		t.Fatal(err)
	}
	p := &policy.Policy{Digest: "sha256:p", Catalogue: map[string]policy.Info{"phi-table": {ID: "phi-table", Default: policy.Block}}}
	return &Door{
		Runtime: w, Facts: func(context.Context, *containerd.Image) []string { return w.keys }, Inspector: w, Log: w, Memory: m,
		Policy: func() *policy.Policy { return p }, Slog: slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
}

// A digest is known from its image's facts, and stays known when that has gone and phigated was started anew.
func TestAsk(t *testing.T) {
	file := filepath.Join(t.TempDir(), "images.json")
	w := &world{}
	d := open(t, w, file)
	if a := d.Ask(t.Context(), "r/people:1", digest); a.Refused || !strings.Contains(a.Line, "judged when they are created") {
		t.Errorf("an image that was never here: %+v", a)
	}
	w.image = &containerd.Image{Name: "r/people:1", Digest: digest}
	if a := d.Ask(t.Context(), "r/people:1", digest); a.Refused {
		t.Errorf("an image whose layers are not read yet: %+v", a)
	}
	w.keys = []string{"sha256:layer"}
	refused := func(name string, d *Door) {
		t.Helper()
		a := d.Ask(t.Context(), name, digest)
		if !a.Refused || !strings.HasPrefix(a.Line, "phigate: blocked "+name+": ") || !strings.Contains(a.Line, path) || !strings.HasSuffix(a.Line, "decisions 7") {
			t.Errorf("got %+v", a)
		}
	}
	refused("r/people:1", d)
	w.image = nil
	refused("r/people:1", d)
	if len(w.records) != 1 || w.records[0].Kind != "arrival" || w.records[0].Gate != policy.GatePull || w.records[0].ImageDigest != digest {
		t.Errorf("%d records, want one of the arrival: %+v", len(w.records), w.records)
	}
	again := open(t, w, file)
	refused("r/renamed:2", again)
	if a := again.Ask(t.Context(), "r/people:1", "sha256:fine"); a.Refused {
		t.Errorf("another digest: %+v", a)
	}
	data, err := os.ReadFile(file)
	if err != nil || strings.Contains(string(data), `"Fingerprint":"f"`) {
		t.Errorf("fingerprints are kept outside the log (error %v)", err)
	}
	again.Policy = func() *policy.Policy { return &policy.Policy{} }
	if a := again.Ask(t.Context(), "r/people:1", digest); a.Refused {
		t.Error("without a policy an image is refused")
	}
}

// A log that fails does not make a refusal of it an admission.
func TestRefusedWithoutRecord(t *testing.T) {
	w := &world{image: &containerd.Image{Digest: digest}, keys: []string{"l"}, mute: errors.New("the disk is full")}
	if a := open(t, w, filepath.Join(t.TempDir(), "m")).Ask(t.Context(), "i", digest); !a.Refused || strings.Contains(a.Line, "see:") {
		t.Errorf("got %+v", a)
	}
}

// A container that was refused for its image's files makes the digest known.
func TestFollow(t *testing.T) {
	w := &world{image: &containerd.Image{Digest: digest}, keys: []string{"l"}, reading: make(chan *policy.Decision)}
	d := open(t, w, filepath.Join(t.TempDir(), "m"))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); d.Follow(ctx) }()
	block := func(f policy.Record) *policy.Decision {
		return &policy.Decision{Kind: "verdict", Verdict: policy.Block, ImageDigest: digest, Findings: []policy.Record{f}}
	}
	w.reading <- block(policy.Record{Action: policy.Block, Field: "process.user"}) // of the pod, not of the image
	w.reading <- &policy.Decision{Kind: "verdict", Verdict: policy.Allow, ImageDigest: digest}
	if _, ok := d.Memory.get(digest); ok {
		t.Error("the image is held against what its pod wants")
	}
	w.reading <- block(policy.Record{Action: policy.Block, Path: path})
	w.reading <- &policy.Decision{} // the one before was taken up by now
	if _, ok := d.Memory.get(digest); !ok {
		t.Error("the image is not known")
	}
	cancel()
	<-done
}

func TestMemory(t *testing.T) {
	file := filepath.Join(t.TempDir(), "images.json")
	if err := os.WriteFile(file, []byte("no JSON"), 0o600); err != nil {
		t.Fatal(err)
	}
	writes := 0
	m, err := OpenMemory(file, func(string, []byte) error { writes++; return nil })
	if err == nil || m == nil {
		t.Fatalf("a damaged file: %v", err)
	}
	many := policy.Report{}
	for range 100 {
		many.Findings = append(many.Findings, policy.Finding{Rule: "r"})
	}
	put := func(digest string, r policy.Report) {
		t.Helper()
		if err := m.put(digest, "", r); err != nil {
			t.Fatal(err)
		}
	}
	for i := range maxImages + 5 {
		put("sha256:"+string(rune('a'+i%26))+strings.Repeat("x", i/26), many)
	}
	if len(m.images) != maxImages || len(m.images[0].Findings) != maxFindings {
		t.Errorf("%d images with %d findings, want %d with %d", len(m.images), len(m.images[0].Findings), maxImages, maxFindings)
	}
	before := writes
	last := m.images[len(m.images)-1].Digest
	put(last, many)
	put("sha256:clean", policy.Report{})
	if writes != before {
		t.Error("nothing is new, and it is written")
	}
	put(last, policy.Report{})
	if _, ok := m.get(last); ok || writes != before+1 {
		t.Error("what is no longer found is still known")
	}
}

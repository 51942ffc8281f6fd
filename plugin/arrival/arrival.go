// Package arrival is the door at which images arrive: containerd asks before it
// fetches one (its image verifiers), and is told of a digest that holds what every
// container of it would be refused for.
//
// It is an early warning and no gate. It is asked about pulls alone, of those that go
// through containerd's transfer service, and only for what is known already: an image
// that was never here holds what nobody has read. So whatever it does not know, and
// whatever goes wrong, lets the image come; creating a container is where it is judged.
//
// What is known of a digest are findings, never a verdict: the policy in force decides, each time that it is asked.
package arrival

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/phigate/phigate/plugin/containerd"
	"github.com/phigate/phigate/policy"
)

// Runtime says which image of this node a digest is; package containerd.
type Runtime interface {
	ImageByDigest(ctx context.Context, digest string) (*containerd.Image, error)
}

// Log is the decision log.
type Log interface {
	Read(ctx context.Context, from uint64, fn func(*policy.Decision) error) error
	Wait(ctx context.Context, after uint64) error
	Seq() uint64
	Last() time.Time
	Record(ctx context.Context, d *policy.Decision) (seq uint64, err error)
}

// Inspector answers from the facts of layers; package inspect.
type Inspector interface {
	Inspect(ctx context.Context, s *policy.Subject, p *policy.Policy) policy.Report
}

// Door answers about images. Safe for concurrent use.
type Door struct {
	Runtime Runtime
	// Facts names the facts of an image's layers; none where some layer has none.
	Facts     func(ctx context.Context, image *containerd.Image) (keys []string)
	Inspector Inspector
	Policy    func() *policy.Policy
	Log       Log
	Memory    *Memory
	Slog      *slog.Logger

	mu   sync.Mutex
	said map[string]uint64 // refusals in the log, by digest and policy
}

// Answer says whether an image may come.
type Answer struct {
	Refused bool
	Line    string // why not, or why it is let in; one line
}

const (
	// askFor bounds the looking at what is here of an image.
	askFor    = 2 * time.Second
	recordFor = 2 * time.Second
	maxSaid   = 1000
)

// Ask answers about the image that a name leads to.
func (d *Door) Ask(ctx context.Context, name, digest string) Answer {
	d.learn(ctx, digest)
	known, ok := d.Memory.get(digest)
	if !ok {
		return Answer{Line: "phigate knows nothing against it yet; its containers are judged when they are created"}
	}
	p := d.Policy()
	if p.Digest == "" {
		return Answer{Line: "phigate has no policy in force; its containers are judged when they are created"}
	}
	s := &policy.Subject{Name: name, Gate: policy.GatePull, Image: policy.Image{Ref: name, Digest: digest, Config: known.Config}}
	began := time.Now()
	report := policy.Report{Findings: known.Findings, Individuals: known.Individuals, Now: later(began, d.Log.Last())}
	v := policy.Everywhere(p, s, report)
	if v.Action != policy.Block {
		return Answer{Line: "phigate knows nothing against it that holds for all containers; they are judged when they are created"}
	}
	refusal := policy.NewDecision(s, v, report.Now, time.Since(began))
	refusal.Kind = "arrival"
	refusal.Seq = d.record(ctx, refusal)
	return Answer{Refused: true, Line: refusal.Line()}
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// record writes a refusal down, once for each policy: a kubelet asks again and again.
func (d *Door) record(ctx context.Context, refusal *policy.Decision) uint64 {
	key := refusal.ImageDigest + " " + refusal.Policy
	d.mu.Lock()
	defer d.mu.Unlock()
	if seq := d.said[key]; seq > 0 {
		return seq
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordFor)
	defer cancel()
	seq, err := d.Log.Record(ctx, refusal)
	if err != nil {
		d.Slog.Error("recording that an image was refused", "digest", refusal.ImageDigest, "error", err)
		return 0
	}
	if d.said == nil || len(d.said) >= maxSaid {
		d.said = map[string]uint64{}
	}
	d.said[key] = seq
	return seq
}

// learn takes up what the facts of its layers say of an image that is here.
func (d *Door) learn(ctx context.Context, digest string) {
	ctx, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	image, err := d.Runtime.ImageByDigest(ctx, digest)
	if err != nil {
		return // it is not here, or containerd does not answer
	}
	keys := d.Facts(ctx, image)
	if len(keys) == 0 {
		return
	}
	s := &policy.Subject{Name: image.Name, Gate: policy.GatePull, Image: policy.Image{Ref: image.Name, Digest: digest, Config: image.Config},
		Layers: keys, Sees: policy.FactFiles}
	report := d.Inspector.Inspect(ctx, s, d.Policy())
	if err := d.Memory.put(digest, image.Config, report); err != nil {
		d.Slog.Error("keeping what is known of an image", "digest", digest, "error", err)
	}
}

// retryEvery spaces the tries to read a log that has failed.
const retryEvery = time.Second

// Follow learns of each image of which a container was refused for its files, until ctx
// ends. The image is here then, and may be gone when somebody pulls it again.
func (d *Door) Follow(ctx context.Context) {
	seq := d.Log.Seq()
	for ctx.Err() == nil {
		err := d.Log.Wait(ctx, seq)
		if err == nil {
			err = d.Log.Read(ctx, seq+1, func(r *policy.Decision) error {
				seq = r.Seq
				if refusedForFiles(r) {
					d.learn(ctx, r.ImageDigest)
				}
				return nil
			})
		}
		if err != nil && ctx.Err() == nil {
			d.Slog.Warn("following the decision log for images", "error", err)
			select {
			case <-time.After(retryEvery):
			case <-ctx.Done():
			}
		}
	}
}

func refusedForFiles(r *policy.Decision) bool {
	if r.Kind != "verdict" || r.Verdict != policy.Block || r.ImageDigest == "" {
		return false
	}
	for _, f := range r.Findings {
		if f.Action == policy.Block && f.Path != "" {
			return true
		}
	}
	return false
}

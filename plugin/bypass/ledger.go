package bypass

import (
	"context"
	"errors"
	"time"

	"github.com/phigate/phigate/plugin/containerd"
	"github.com/phigate/phigate/policy"
)

// ledger is what the decision log says of containers. It holds what was decided
// since it was made; for older containers the log is searched.
type ledger struct {
	log    Log
	next   uint64    // the first record that was not read
	began  time.Time // what is decided of containers made after this is held
	first  time.Time // of the log's first record; zero: not searched yet
	recent map[key]entry
	older  map[key]entry // of the generation before; dropped as a whole
	cut    bool          // one was
}

// entry is what is known of a container.
type entry struct {
	admitted time.Time // a gate before its record was written admitted it
	judged   time.Time
	verdict  uint64    // the record of that
	found    time.Time // it was found unjudged
	record   uint64    // the record of that
	last     uint64    // the last record of all
}

// maxEntries bounds a generation.
const maxEntries = 20_000

// announcedFor is how long before a container's record its first gate may have
// admitted it: NRI's time limit, and some.
const announcedFor = 30 * time.Second

func newLedger(log Log) *ledger {
	return &ledger{log: log, next: log.Seq() + 1, began: time.Now(), recent: map[key]entry{}}
}

// refresh reads what was recorded since. A verdict is durable before its
// container can run, so what runs is in there.
func (l *ledger) refresh(ctx context.Context) error {
	return l.log.Read(ctx, l.next, func(d *policy.Decision) error {
		l.next = d.Seq + 1
		l.note(d)
		return nil
	})
}

// note keeps what a record says; a later one counts for more.
func (l *ledger) note(d *policy.Decision) {
	if d.Container == "" {
		return
	}
	k := key{namespaceOf(d), d.Container}
	e := l.at(k)
	if d.Seq <= e.last {
		return
	}
	e.last = d.Seq
	switch d.Kind {
	case Kind:
		e.found, e.record = d.Time, d.Seq
	case "withdrawn": // it was refused, whatever it says
		if d.Withdraws == e.verdict {
			e.judged = time.Time{}
		}
	case "verdict":
		e.noteVerdict(d)
	case "override": // break-glass
		e.judged, e.verdict = d.Time, d.Seq
	default:
		return
	}
	l.put(k, e)
}

func (e *entry) noteVerdict(d *policy.Decision) {
	switch {
	case d.Gate == policy.GateCreate || d.Gate == policy.GateValidate:
		if d.Verdict == policy.Allow {
			e.admitted = d.Time
		}
	case d.Verdict == policy.Allow, d.Gate == policy.GateCatchUp: // which stops nothing, and has said what there is to say
		e.judged, e.verdict = d.Time, d.Seq
	default: // what runs although it was refused is unjudged
		e.judged, e.verdict = time.Time{}, d.Seq
	}
}

// namespaceOf is containerd's namespace of a decision's container: as it was
// recorded, else as its client gives it away, else "" for any.
func namespaceOf(d *policy.Decision) string {
	switch {
	case d.RuntimeNamespace != "":
		return d.RuntimeNamespace
	case d.Runtime == "cri":
		return containerd.Namespace
	case d.Runtime == "docker":
		return docker
	default:
		return ""
	}
}

func (l *ledger) put(k key, e entry) {
	if len(l.recent) >= maxEntries {
		l.cut = l.cut || l.older != nil
		l.recent, l.older = map[key]entry{}, l.recent
	}
	l.recent[k] = e
}

func (l *ledger) at(k key) entry {
	if e, ok := l.recent[k]; ok {
		return e
	}
	return l.older[k]
}

// of is what is known of a container, by the record of its own namespace or by
// one that names none.
func (l *ledger) of(k key) entry {
	e, any := l.at(k), l.at(key{"", k.id})
	if any.judged.After(e.judged) {
		e.judged = any.judged
	}
	return e
}

// know reads what the log says of the containers: what is new in it, and all
// of it where one of them may be older than what is held here.
func (l *ledger) know(ctx context.Context, of []*container) error {
	if err := l.refresh(ctx); err != nil {
		return err
	}
	var old []key
	for _, c := range of {
		if !l.of(c.key).covers(c) && (l.cut || c.since.Before(l.began)) {
			old = append(old, c.key)
		}
	}
	return l.search(ctx, old)
}

// search reads the whole log for what it says of these containers.
func (l *ledger) search(ctx context.Context, keys []key) error {
	if len(keys) == 0 {
		return nil
	}
	wanted := map[string]bool{}
	for _, k := range keys {
		wanted[k.id] = true
	}
	err := l.log.Read(ctx, 1, func(d *policy.Decision) error {
		if l.first.IsZero() {
			l.first = d.Time
		}
		if d.Seq >= l.next {
			return errEnough
		}
		if wanted[d.Container] {
			l.note(d)
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

// errEnough ends a search where it meets what was read as it came.
var errEnough = errors.New("the rest is known")

// announced says whether a gate admitted the container just before its record
// was written.
func (e entry) announced(made time.Time) bool {
	return e.admitted.After(made.Add(-announcedFor))
}

// covers says whether a gate has judged the container since it was made. One of
// unknown age is taken by its ID alone.
func (e entry) covers(c *container) bool {
	return !e.judged.IsZero() && !e.judged.Before(c.since)
}

// again says whether the container was found unjudged in an earlier life.
func (e entry) again(c *container) bool {
	return c.swept && !e.found.IsZero() && !e.found.Before(c.since)
}

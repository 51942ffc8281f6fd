package inspect

import (
	"context"
	"errors"
	"path"
	"time"

	"github.com/phigate/phigate/plugin/cache"
	"github.com/phigate/phigate/plugin/rootfs"
	"github.com/phigate/phigate/policy"
)

// matchKey names a layer's matches under one policy.
type matchKey struct{ layer, digest, at string }

// matches are the regular files of one layer that file rules of a policy match.
type matches struct {
	hits []hit
	more map[int]int // by rule: matches that there was no room for
}

// matching is a layer whose names are being matched. The rest is there when
// done is closed.
type matching struct {
	done  chan struct{}
	found *matches
	err   error
}

// errMatching is given to those who do not wait for it.
var errMatching = errors.New("file names are still being matched with the policy; try again")

// Warm compares the software of layers with the advisories and matches their
// names with the policy's file rules, one layer after
// the other on the caller's thread, so that answers find it done. A layer of a
// million names takes seconds.
func (f *Files) Warm(ctx context.Context, p *policy.Policy, keys []string) error {
	f.ready()
	if err := f.warmAdvised(keys); err != nil {
		return err
	}
	rules, _ := fileRules(p)
	if len(rules) == 0 || p.Digest == "" {
		return nil
	}
	for _, layer := range keys {
		l, ok, err := f.Store.Get(layer)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		key := matchKey{l.ID(), p.Digest, ""}
		if _, done := f.matches.get(key); done {
			continue
		}
		if m, mine := f.beginMatching(key); mine {
			f.match(ctx, m, key, l, rules)
			if m.err != nil && !errors.Is(m.err, cache.ErrUnknown) {
				return m.err
			}
		}
	}
	return nil
}

// matched are a layer's matches, remembered. They are computed once however
// many ask, go on when an answer's time is up, and are there for the next.
func (f *Files) matched(ctx context.Context, l *cache.Layer, rules []*policy.FileRule, digest, at string) (*matches, error) {
	if digest == "" {
		return match(ctx, l, rules, at)
	}
	key := matchKey{l.ID(), digest, at}
	if found, ok := f.matches.get(key); ok {
		return found, nil
	}
	m, mine := f.beginMatching(key)
	if mine {
		go f.match(context.WithoutCancel(ctx), m, key, l, rules)
	}
	var patience <-chan time.Time
	if f.Wait > 0 {
		patience = time.After(f.Wait)
	}
	select {
	case <-m.done:
		return m.found, m.err
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-patience:
		return nil, errMatching
	}
}

// beginMatching returns what is under way, or something that the caller is to
// compute by match.
func (f *Files) beginMatching(key matchKey) (m *matching, mine bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if m := f.underWay[key]; m != nil {
		return m, false
	}
	if f.underWay == nil {
		f.underWay = map[matchKey]*matching{}
	}
	m = &matching{done: make(chan struct{})}
	f.underWay[key] = m
	return m, true
}

func (f *Files) match(ctx context.Context, m *matching, key matchKey, l *cache.Layer, rules []*policy.FileRule) {
	m.err = errors.New("matching file names crashed")
	defer func() {
		_ = recover() // its text could hold names
		f.mu.Lock()
		delete(f.underWay, key)
		f.mu.Unlock()
		close(m.done)
	}()
	found, err := match(ctx, l, rules, key.at)
	if err == nil {
		f.matches.put(key, found, 1+len(found.hits))
	}
	m.found, m.err = found, err
}

// match asks the rules about each regular file of a layer.
func match(ctx context.Context, l *cache.Layer, rules []*policy.FileRule, at string) (*matches, error) {
	found := &matches{more: map[int]int{}}
	counts := make([]int, len(rules))
	n := 0
	var stopped error
	err := l.Each(func(name cache.Name) bool {
		if n++; n%pollNames == 0 {
			stopped = ctx.Err()
		}
		if name.Kind != rootfs.Regular {
			return stopped == nil
		}
		for r, rule := range rules {
			if !fits(rule, name.Path, at) {
				continue
			}
			if counts[r]++; counts[r] > maxFindings {
				found.more[r]++
				continue
			}
			found.hits = append(found.hits, hit{r, name.Path})
		}
		return stopped == nil
	})
	if err = errors.Join(err, stopped); err != nil {
		return nil, err
	}
	return found, nil
}

// fits asks a rule about a file as it lies in the image and as the container
// sees it.
func fits(rule *policy.FileRule, file, at string) bool {
	return rule.Match(file) || at != "" && rule.Match(path.Join(at, file))
}

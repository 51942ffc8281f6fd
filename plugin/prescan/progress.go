package prescan

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/phigate/phigate/plugin/containerd"
)

// progress is how far the scan of one layer is.
type progress struct {
	total, done int64
	failed      string    // why the last try ended without facts
	tried       time.Time // when it did
}

// announce makes the layers' progress known before their scan begins.
func (s *Scanner) announce(ctx context.Context, root *containerd.Root, cold []string) {
	waits := map[string]bool{}
	for _, key := range cold {
		waits[key] = true
	}
	chain := root.Chain
	if !root.Layered() {
		chain = chain[len(chain)-1:]
	}
	for _, name := range chain {
		key, _ := s.find(root.Snapshotter, name)
		if !waits[key] {
			continue
		}
		files, bytes, _ := s.Client.LayerSize(ctx, root.Snapshotter, name) // unknown: progress stays at 0
		s.mu.Lock()
		s.progress[key] = &progress{total: max(bytes, files*block)}
		s.mu.Unlock()
	}
}

// block is what a file takes at least of a disk and, about, of a scan's time.
const block = 4096

func (s *Scanner) advance(key string, files, bytes int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.progress[key]; p != nil {
		p.done = max(bytes, files*block)
	}
}

func (s *Scanner) finish(keys []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, key := range keys {
		delete(s.progress, key)
	}
}

// fail remembers why the layers have no facts; those that got theirs before
// the failure are finished.
func (s *Scanner) fail(keys []string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, key := range keys {
		if p := s.progress[key]; p != nil {
			p.failed, p.tried = err.Error(), time.Now()
		}
	}
}

// Cold says in words how far the scan of the layers without facts is.
func (s *Scanner) Cold(keys []string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var done, total int64
	for _, key := range keys {
		p := s.progressOf(key)
		if p == nil {
			continue
		}
		if p.failed != "" {
			return "the image could not be scanned: " + p.failed
		}
		done, total = done+min(p.done, p.total), total+p.total
	}
	percent := int64(0)
	if total > 0 {
		percent = min(99, done*100/total)
	}
	return fmt.Sprintf("scan in progress, %d %%", percent)
}

// progressOf finds the progress of a layer that is asked for by its diff ID
// while its scan began before that was known, from the commit's event on. s.mu
// is held.
func (s *Scanner) progressOf(key string) *progress {
	if p := s.progress[key]; p != nil {
		return p
	}
	for own, p := range s.progress {
		if _, name, ok := strings.Cut(own, "@"); ok && s.diffs[name] == key {
			return p
		}
	}
	return nil
}

// retryAfter spaces the tries of a layer whose scan failed.
const retryAfter = 3 * time.Second

func (s *Scanner) justFailed(keys []string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, key := range keys {
		if p := s.progressOf(key); p != nil && p.failed != "" && time.Since(p.tried) < retryAfter {
			return true
		}
	}
	return false
}

// Idle says whether all that is known to be there has been scanned.
func (s *Scanner) Idle() (idle bool, waiting int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	running := 0
	for _, p := range s.progress {
		if p.failed == "" {
			running++
		}
	}
	return s.synced && len(s.queue) == 0 && running == 0 && !s.busy, len(s.queue) + running
}

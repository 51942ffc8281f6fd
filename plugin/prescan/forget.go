package prescan

import (
	"slices"

	"github.com/phigate/phigate/policy"
)

// renew removes the facts of an older version once none of them is needed: all
// layers of the node have been scanned again.
func (s *Scanner) renew(keep map[string]bool) error {
	if version, _ := s.Store.Stale(); version == "" {
		return nil
	}
	for key := range keep {
		layer, ok, err := s.Store.Get(key)
		if err != nil {
			return err
		}
		if ok && layer.Stale() != "" {
			return nil
		}
	}
	s.Log.Info("all layers have been scanned by this version's detectors: older facts are removed")
	return s.Store.DropStale()
}

// renewed has the images looked at when nothing waits to be scanned any more, so
// that older facts are removed.
func (s *Scanner) renewed() {
	s.mu.Lock()
	last := len(s.queue) == 0
	s.mu.Unlock()
	if version, _ := s.Store.Stale(); version != "" && last {
		s.add(task{})
	}
}

// doubt takes the facts of layers that had something unreadable out of keep,
// once in this process: what could not be read may be readable by now.
func (s *Scanner) doubt(keep map[string]bool) error {
	if s.doubted {
		return nil
	}
	s.doubted = true
	for key := range keep {
		layer, ok, err := s.Store.Get(key)
		if err != nil {
			return err
		}
		if ok && slices.ContainsFunc(layer.Facts().Skipped, func(k policy.Skipped) bool { return k.Kind == policy.Unreadable }) {
			delete(keep, key)
		}
	}
	return nil
}

// forgetFailures drops what is remembered of failed scans of layers that are gone.
func (s *Scanner) forgetFailures(keep map[string]bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, p := range s.progress {
		if p.failed != "" && !keep[key] {
			delete(s.progress, key)
		}
	}
}

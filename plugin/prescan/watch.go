package prescan

import (
	"context"
	"time"

	"github.com/phigate/phigate/plugin/containerd"
)

// askEvery spaces the tries to reach a containerd that is not there.
const askEvery = 200 * time.Millisecond

// tidy gives back what a phigated that was killed has left, once containerd is
// there.
func (s *Scanner) tidy(ctx context.Context) {
	for ctx.Err() == nil {
		_, err := s.Client.Check(ctx)
		if err == nil {
			if err := s.Client.Tidy(ctx, s.Mounts); err != nil && ctx.Err() == nil {
				s.Log.Warn("giving back what an earlier phigated left", "error", err)
			}
			return
		}
		s.lost(ctx, err)
		sleep(ctx, askEvery)
	}
}

// watch follows containerd's events and sees to it, after each connection, that
// what happened in between is not missed.
func (s *Scanner) watch(ctx context.Context) {
	for ctx.Err() == nil {
		err := s.Client.Watch(ctx, func() {
			s.Log.Info("watching containerd's images")
			s.reached()
			s.add(task{}) // the task without a name reads all images
		}, func(e containerd.Event) { s.handle(ctx, e) })
		s.lost(ctx, err)
		sleep(ctx, askEvery)
	}
}

func (s *Scanner) handle(ctx context.Context, e containerd.Event) {
	switch {
	case e.Prepared != "":
		s.Client.Foresee(ctx, e.Prepared)
	case e.Created != "":
		s.Client.ForeseeContainer(ctx, e.Created)
	case e.Committed != nil:
		s.add(task{snapshotter: e.Committed.Snapshotter, name: e.Committed.Name})
	case e.Gone:
		s.addLater(ctx, goneAfter)
	default:
		s.add(task{})
	}
}

const (
	// goneAfter is how long things that vanish are collected before it is seen
	// which facts go with them. Removing an image removes its layers one by one.
	goneAfter = 2 * time.Second
	// againAfter is when all images are read again where that did not work.
	againAfter = 30 * time.Second
)

// addLater has all images read again in a while, once however often it is asked.
func (s *Scanner) addLater(ctx context.Context, while time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.soon {
		return
	}
	s.soon = true
	go func() {
		sleep(ctx, while)
		s.mu.Lock()
		s.soon = false
		s.mu.Unlock()
		s.add(task{})
	}()
}

// lost notes why containerd cannot be asked, and says it once.
func (s *Scanner) lost(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	s.mu.Lock()
	said := s.trouble == err.Error()
	s.trouble, s.synced = err.Error(), false
	s.mu.Unlock()
	if !said {
		s.Log.Warn("containerd cannot be asked for its images; trying again", "error", err)
	}
}

// reached notes that events can no longer be missed; what happened before is
// still to be seen.
func (s *Scanner) reached() {
	s.mu.Lock()
	s.trouble, s.synced = "", false
	s.mu.Unlock()
}

// Trouble says why containerd's images cannot be looked at, or "".
func (s *Scanner) Trouble() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.trouble
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

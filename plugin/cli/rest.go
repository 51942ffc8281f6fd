package cli

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/phigate/phigate/plugin/cache"
	"github.com/phigate/phigate/plugin/cli/target"
	"github.com/phigate/phigate/plugin/conf"
	"github.com/phigate/phigate/policy"
)

// rest is something at rest, read to its end: its facts and the subject that it
// is. Close it.
type rest struct {
	target  *target.Target
	store   *cache.Store
	subject *policy.Subject
	notes   []string // what of it is not judged
	dir     string
}

// open reads what was named. Without a target there is the spec alone.
func (s *scan) open(ctx context.Context, node conf.Config) (_ *rest, err error) {
	spec, err := readSpec(s.spec)
	if err != nil {
		return nil, err
	}
	r := &rest{target: &target.Target{Name: s.spec}}
	if r.dir, err = os.MkdirTemp("", "phigate-scan-"); err != nil {
		return nil, fmt.Errorf("making a temporary folder: %w", err)
	}
	defer func() {
		if err != nil {
			s.leave(r.close())
		}
	}()
	if s.target != "" || spec == nil {
		t, err := target.Open(ctx, s.target, target.Options{Containerd: node.Containerd, Mounts: r.dir})
		if err != nil {
			return nil, err
		}
		r.target = t
	}
	if r.store, err = cache.Temporary(r.dir); err != nil {
		return nil, err
	}
	if err := s.read(ctx, r.target, r.store); err != nil {
		return nil, err
	}
	r.subject, r.notes = subjectOf(r.target, spec)
	return r, nil
}

func (r *rest) close() error {
	var errs []error
	if r.store != nil {
		errs = append(errs, r.store.Close())
	}
	return errors.Join(append(errs, r.target.Close(), os.RemoveAll(r.dir))...)
}

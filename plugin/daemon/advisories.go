package daemon

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/phigate/phigate/plugin/ask"
	"github.com/phigate/phigate/plugin/conf"
	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/detect/pkgdb"
	"github.com/phigate/phigate/policy/osv"
)

// advisories keeps what software is compared with up to date with the operator's
// files. Reading them takes a second for some 20 MiB, so the gate does not wait
// for it: until then, and where they cannot be read, each answer says so.
type advisories struct {
	paths   []string
	set     func(d *osv.Database, trouble string)
	changed func() // called when software is compared with others
	log     *slog.Logger

	stamp string

	mu      sync.Mutex    // of what follows, which status asks
	now     *osv.Database // nil: none could be read yet
	trouble string
}

// state says how old the facts are that software is compared with.
func (a *advisories) state() ask.SoftwareStatus {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := ask.SoftwareStatus{Table: pkgdb.TableDate, Given: len(a.paths) > 0, Error: a.trouble}
	if a.now != nil {
		s.Advisories, s.Newest = a.now.Advisories(), a.now.Date()
	}
	return s
}

// checkAdvisories is how often the files are looked at.
const checkAdvisories = 30 * time.Second

// begin says that the advisories are not there yet; without any that were named
// there is nothing to wait for.
func (a *advisories) begin() {
	if len(a.paths) > 0 {
		a.trouble = "the advisories are still being read"
		a.set(nil, a.trouble)
	}
}

// watch reads the files now and whenever one of them changes. While they are
// written they may not be whole: then they are read again when they have changed again.
func (a *advisories) watch(ctx context.Context) {
	if len(a.paths) == 0 {
		return
	}
	again := time.NewTicker(checkAdvisories)
	defer again.Stop()
	for {
		if stamp := conf.StampAdvisories(a.paths); stamp != a.stamp {
			a.stamp = stamp
			a.load(ctx)
		}
		select {
		case <-ctx.Done():
			return
		case <-again.C:
		}
	}
}

// load reads the files. Those that were in force stay where none can be read.
func (a *advisories) load(ctx context.Context) {
	database, err := conf.ReadAdvisories(ctx, a.paths)
	if ctx.Err() != nil {
		return
	}
	trouble := ""
	if err != nil {
		trouble = policy.Printable(err.Error())
	}
	a.mu.Lock()
	if trouble != "" && trouble != a.trouble {
		a.log.Error("advisories cannot be read", "error", err)
	}
	if database != nil && (a.now == nil || a.now.Digest() != database.Digest()) {
		a.now = database
		a.log.Info("software is compared with advisories", "advisories", database.Advisories(), "newest", database.Date(), "ignored", database.Ignored())
	}
	a.trouble = trouble
	inForce := a.now
	a.mu.Unlock()
	a.set(inForce, trouble)
	a.changed()
}

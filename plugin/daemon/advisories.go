package daemon

import (
	"context"
	"log/slog"
	"time"

	"github.com/phigate/phigate/plugin/conf"
	"github.com/phigate/phigate/policy"
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

	now     *osv.Database // nil: none could be read yet
	trouble string
	stamp   string
}

// checkAdvisories is how often the files are looked at.
const checkAdvisories = 30 * time.Second

// begin says that the advisories are not there yet; without any that were named
// there is nothing to wait for.
func (a *advisories) begin() {
	if len(a.paths) > 0 {
		a.set(nil, "the advisories are still being read")
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
	if trouble != "" && trouble != a.trouble {
		a.log.Error("advisories cannot be read", "error", err)
	}
	if database != nil && (a.now == nil || a.now.Digest() != database.Digest()) {
		a.now = database
		a.log.Info("software is compared with advisories", "advisories", database.Advisories(), "newest", database.Date(), "ignored", database.Ignored())
	}
	a.trouble = trouble
	a.set(a.now, trouble)
	a.changed()
}

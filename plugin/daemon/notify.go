package daemon

import (
	"context"
	"log/slog"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// notify tells systemd that the daemon is ready and, where the unit asks for
// it, that it is alive: at half the unit's WatchdogSec, as sd_watchdog_enabled(3)
// advises, and only while its parts answer. Elsewhere it does nothing.
//
// Ready does not wait for containerd: the unit is started before the kubelet,
// and containerd may come later.
func notify(ctx context.Context, alive func(), log *slog.Logger) {
	if _, err := daemon.SdNotify(false, daemon.SdNotifyReady); err != nil {
		log.Warn("telling systemd that phigated is ready", "error", err)
	}
	interval, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		log.Warn("asking for systemd's watchdog", "error", err)
	}
	var tick <-chan time.Time
	if interval > 0 {
		t := time.NewTicker(interval / 2)
		defer t.Stop()
		tick = t.C
	}
	for {
		select {
		case <-tick:
			alive()
			_, _ = daemon.SdNotify(false, daemon.SdNotifyWatchdog) // the next tick says it again
		case <-ctx.Done():
			_, _ = daemon.SdNotify(false, daemon.SdNotifyStopping)
			return
		}
	}
}

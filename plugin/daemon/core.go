package daemon

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// keepMemory sees to it that no memory of this process, which reads PHI, is
// written to a disk when it crashes: no core file (its limit is 0, hard), and none
// through a pipe of core_pattern, which the limit does not hold back, since the
// process is not dumpable (prctl(2), core(5)). Nor may others of its user read its
// memory, but with CAP_SYS_PTRACE. The unit's LimitCORE=0 says the first for
// systemd alone.
//
// What a crash prints are goroutines, with addresses and numbers as arguments and
// never the bytes behind them; nothing in phigate panics with what it has read,
// and parsers of others run where their panics are recovered and dropped. A signal
// that kills it prints the registers of one thread, too, of eight bytes each. The
// leak test crashes phigated so, and looks for all of this.
func keepMemory() error {
	var limit unix.Rlimit
	err := unix.Getrlimit(unix.RLIMIT_CORE, &limit)
	if limit != (unix.Rlimit{}) { // under the unit it is, and may not be set
		err = unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{})
	}
	err = errors.Join(err, unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0))
	if err != nil {
		return fmt.Errorf("keeping its memory out of core files: %w", err)
	}
	return nil
}

// Package origin says where records of the decision log come from: the node, the
// program and the state of its clock.
package origin

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/phigate/phigate/policy"
)

// applicationID is phigate's, of which and the machine's ID origins name machines.
const applicationID = "5d1a3f0e9c7b4e62a8f4c06b17d92e35"

// Where the kernel and the system say what they are.
const (
	machineIDFile = "/etc/machine-id"
	bootIDFile    = "/proc/sys/kernel/random/boot_id"
	executable    = "/proc/self/exe" // the file that runs, even where another one has its name by now
)

// Process is this process, as records name it.
type Process struct {
	policy.Origin // what stays the same while it lives
	clock         bootClock
}

// Read gathers what is known of this process. What cannot be read is left out and
// said, and stops nothing.
func Read(version, keyID string, log *slog.Logger) *Process {
	o := policy.Origin{Version: version, KeyID: keyID}
	for _, read := range []func() error{
		func() (err error) { o.Node, err = os.Hostname(); return err },
		func() (err error) { o.Machine, err = machineID(machineIDFile, applicationID); return err },
		func() (err error) { o.Boot, err = id128(bootIDFile); return err },
		func() (err error) { o.Digest, err = fileDigest(executable); return err },
	} {
		if err := read(); err != nil {
			log.Warn("records do not say all of where they come from", "error", err)
		}
	}
	o.Node = policy.Printable(o.Node)
	return &Process{Origin: o}
}

// Stamp fills in where a record comes from, with the time since boot and the
// state of the clock at this moment.
func (p *Process) Stamp(d *policy.Decision) {
	d.Origin = p.Origin
	d.Origin.BootTimeUs, d.Origin.Clock = p.clock.now()
}

// machineID is the machine's ID for one application:
// sd_id128_get_machine_app_specific(3), HMAC-SHA-256 of the application's ID with
// the machine's as the key, cut to 128 bits, marked as a UUID of version 4.
func machineID(path, application string) (string, error) {
	machine, err := id128(path)
	if err != nil {
		return "", err
	}
	key, err := hex.DecodeString(machine)
	if err != nil {
		return "", err
	}
	app, err := hex.DecodeString(application)
	if err != nil {
		return "", err
	}
	mac := hmac.New(sha256.New, key)
	mac.Write(app)
	id := mac.Sum(nil)[:16]
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80
	return hex.EncodeToString(id), nil
}

// id128 reads a file that holds a 128-bit ID, with dashes or without.
func id128(path string) (string, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	id := strings.ReplaceAll(strings.TrimSpace(string(data)), "-", "")
	if raw, err := hex.DecodeString(id); err != nil || len(raw) != 16 {
		return "", fmt.Errorf("%s holds no 128-bit ID", path)
	}
	return strings.ToLower(id), nil
}

func fileDigest(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return "", err
	}
	return "sha256:" + hex.EncodeToString(sum.Sum(nil)), nil
}

// bootClock is the time since boot and the state of the clock, which is asked for
// once a second at most: records must not wait for system calls.
type bootClock struct {
	mu    sync.Mutex
	asked time.Time // monotonic
	boot  time.Duration
	state policy.Clock
}

const askClockEvery = time.Second

func (c *bootClock) now() (us int64, state policy.Clock) {
	c.mu.Lock()
	defer c.mu.Unlock()
	passed := time.Since(c.asked)
	if c.asked.IsZero() || passed >= askClockEvery {
		c.asked, c.boot, c.state, passed = time.Now(), sinceBoot(), clockState(), 0
	}
	return (c.boot + passed).Microseconds(), c.state
}

func sinceBoot() time.Duration {
	var t unix.Timespec
	if unix.ClockGettime(unix.CLOCK_BOOTTIME, &t) != nil {
		return 0
	}
	return time.Duration(t.Nano())
}

// clockState asks the kernel, as anybody may who changes nothing.
func clockState() policy.Clock {
	var t unix.Timex
	if _, err := unix.Adjtimex(&t); err != nil {
		return policy.ClockUnknown
	}
	return clockOf(&t)
}

// maxClockError is the error in microseconds from which on the kernel itself calls
// a clock unsynchronised (NTP_PHASE_LIMIT; timedatectl goes by the same).
const maxClockError = 16_000_000

func clockOf(t *unix.Timex) policy.Clock {
	if t.Maxerror < maxClockError {
		return policy.ClockSynchronised
	}
	return policy.ClockUnsynchronised
}

package audit

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// soak says whether everything is tried, as make soak-audit does, or a sample.
func soak() bool { return os.Getenv("PHIGATE_SOAK") != "" }

// soaked is what the tests of a soak have tried, for the line at its end.
var soaked struct {
	sync.Mutex
	tried []string
}

// TestMain ends a soak with one line that says what came of it.
func TestMain(m *testing.M) {
	began := time.Now()
	code := m.Run()
	if soak() {
		verdict := "passed"
		if code != 0 {
			verdict = "FAILED, see above"
		}
		fmt.Fprintf(os.Stderr, "soak-audit: %s, in %v: %s\n", verdict, time.Since(began).Round(time.Second), strings.Join(soaked.tried, "; "))
	}
	os.Exit(code)
}

// progress is how far a test has come. In a soak it is said twice a minute.
type progress struct {
	what  string
	all   int
	began time.Time
	done  atomic.Int64
	end   chan struct{}
}

func newProgress(t *testing.T, what string, all int) *progress {
	p := &progress{what: what, all: all, began: time.Now(), end: make(chan struct{})}
	if soak() {
		go p.say()
		t.Cleanup(func() { close(p.end) })
	}
	return p
}

func (p *progress) say() {
	for tick := time.NewTicker(30 * time.Second); ; {
		select {
		case <-p.end:
			tick.Stop()
			return
		case <-tick.C:
		}
		done, took := p.done.Load(), time.Since(p.began)
		left := "?"
		if done > 0 {
			left = time.Duration(float64(took) / float64(done) * float64(int64(p.all)-done)).Round(time.Second).String()
		}
		fmt.Fprintf(os.Stderr, "soak-audit: %s: %d of %d after %v, %s to go\n", p.what, done, p.all, took.Round(time.Second), left)
	}
}

// tried adds what a test came to, to its own log and the soak's last line.
func tried(t *testing.T, format string, args ...any) {
	t.Helper()
	text := fmt.Sprintf(format, args...)
	t.Log(text)
	soaked.Lock()
	defer soaked.Unlock()
	soaked.tried = append(soaked.tried, text)
}

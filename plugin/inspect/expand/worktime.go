package expand

import (
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// worktime is how long an expansion has worked: the processor time of its thread,
// so that one in the background of a busy machine gives up no sooner than on an
// idle one. The goroutine keeps its thread for as long.
type worktime struct {
	began time.Duration // the thread's time
	since time.Time
	next  time.Time // when the thread's time is asked for again
}

// askEvery is how often the thread's time is asked for, which is a system call.
const askEvery = 20 * time.Millisecond

func beginWork() worktime {
	runtime.LockOSThread()
	now := time.Now()
	return worktime{began: threadTime(), since: now, next: now}
}

func (w *worktime) end() { runtime.UnlockOSThread() }

// beyond says whether more than most was worked, or more than wall has passed.
func (w *worktime) beyond(most, wall time.Duration) bool {
	now := time.Now()
	if now.Before(w.next) {
		return false
	}
	w.next = now.Add(askEvery)
	return threadTime()-w.began >= most || now.Sub(w.since) > wall
}

// threadTime is the processor time of the thread (clock_gettime(2)); where the
// kernel does not tell, the time on the wall since a fixed moment.
func threadTime() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t); err != nil {
		return time.Since(start)
	}
	return time.Duration(t.Nano())
}

var start = time.Now()

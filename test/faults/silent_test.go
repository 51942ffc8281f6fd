package faults

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/phigate/phigate/test/gate"
)

// silent are the faults in which phigated gives no answer.
func silent() []fault {
	return []fault{
		{name: "phigated is absent", begin: (*bench).stop, end: (*bench).begin},
		{name: "killed while idle (SIGKILL)", fresh: true,
			begin: func(b *bench) { b.must(b.gate.Process().Kill()) }, end: (*bench).begin},
		{name: "killed with a request in flight", fresh: true, end: (*bench).begin,
			during: func(b *bench, c call, do func()) {
				b.inFlight(c, do, func() { b.must(b.gate.Process().Kill()) })
			}},
		{name: "hangs (SIGSTOP), and answers when nobody waits any more", fresh: true,
			set:   func(b *bench) { b.configure("deadline: 1s") },
			begin: func(b *bench) { b.must(b.gate.Process().Freeze()) },
			end:   func(b *bench) { b.must(b.gate.Process().Thaw()); b.works() },
			mend:  func(b *bench) { b.configure("") }},
		outOfMemory(),
		garbage(),
	}
}

// inFlight makes a call of a phigated that is stopped, and breaks that when the request is
// there and not taken up.
func (b *bench) inFlight(c call, do, breaks func()) {
	b.Helper()
	b.must(b.gate.Process().Freeze())
	asked := make(chan struct{})
	go func() { defer close(asked); do() }()
	within := 30 * time.Second // until ctr or runc has got so far
	if c.door.socket(b) == b.node.NRISocket {
		within = patience * 3 / 4 // then the runtime gives up
	}
	b.must(soon(within, func() error {
		there, err := Pending(b.gate.Process().PID(), c.door.socket(b))
		if err == nil && !there {
			err = fmt.Errorf("%s: phigated is not asked", c.door)
		}
		return err
	}))
	breaks()
	<-asked
}

// outOfMemory has the kernel end phigated for want of memory, with a request in flight.
func outOfMemory() fault {
	const limit = 48 << 20
	var memory *Memory
	return fault{name: "out of memory (OOM killer), with a request in flight", fresh: true,
		begin: func(b *bench) {
			var err error
			memory, err = NewMemory(fmt.Sprintf("phigate-oom-%d", os.Getpid()), limit)
			b.must(err)
			b.must(memory.Take(b.gate.Process().PID()))
		},
		during: func(b *bench, c call, do func()) {
			b.inFlight(c, do, func() {
				b.must(memory.Exhaust())
				_, err := b.gate.Process().Wait(10 * time.Second)
				b.must(err)
			})
			if n, err := memory.Killed(); err != nil || n == 0 {
				b.Fatalf("%d processes were killed for want of memory (error %v)", n, err)
			}
		},
		end: func(b *bench) { b.must(memory.Remove()); b.begin() },
	}
}

// garbage has random bytes come instead of phigated's answers, for NRI and on
// its own socket.
func garbage() fault {
	var garble *Garble
	var pretender net.Listener
	var config string
	return fault{name: "answers with garbage", fresh: true,
		set: func(b *bench) {
			socket := filepath.Join(b.node.Dir, "garble.sock")
			var err error
			garble, err = NewGarble(socket, b.node.NRISocket)
			b.must(err)
			text, err := os.ReadFile(b.gate.Config)
			b.must(err)
			config = string(text)
			b.stop()
			b.must(os.WriteFile(b.gate.Config, []byte(strings.Replace(config, b.node.NRISocket, socket, 1)), 0o600))
			b.begin()
			answers := filepath.Join(b.gate.Dir, "garbage.sock")
			pretender, err = gate.Pretend(answers, "\x00\xffPHGA1 \x17"+strings.Repeat("\xfe\x01", 400))
			b.must(err)
			b.configure("socket: " + answers)
		},
		begin: func(*bench) { garble.On() },
		end:   func(b *bench) { garble.Off(); b.works() },
		mend: func(b *bench) {
			if garble.Garbled() == 0 {
				b.Error("no answer was replaced")
			}
			b.configure("")
			b.must(pretender.Close())
			b.stop()
			b.must(garble.Close())
			b.must(os.WriteFile(b.gate.Config, []byte(config), 0o600))
			b.begin()
		},
	}
}

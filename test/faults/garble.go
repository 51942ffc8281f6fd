package faults

import (
	"crypto/rand"
	"errors"
	"net"
	"os"
	"sync"
	"sync/atomic"
)

// Garble stands between phigated and the runtime's NRI socket. It hands on
// what both say; from On on, what phigated says are random bytes.
type Garble struct {
	listener net.Listener
	runtime  string
	on       atomic.Bool
	garbled  atomic.Int64

	mu    sync.Mutex
	conns []net.Conn
}

// NewGarble listens at socket for phigated.
func NewGarble(socket, runtime string) (*Garble, error) {
	l, err := net.Listen("unix", socket)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(socket, 0o600); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	g := &Garble{listener: l, runtime: runtime}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go g.between(c)
		}
	}()
	return g, nil
}

// On garbles what comes from now on, Off hands it on again.
func (g *Garble) On()  { g.on.Store(true) }
func (g *Garble) Off() { g.on.Store(false) }

// Garbled is how many of phigated's messages were replaced.
func (g *Garble) Garbled() int64 { return g.garbled.Load() }

// Close ends it, and all connections.
func (g *Garble) Close() error {
	err := g.listener.Close()
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, c := range g.conns {
		_ = c.Close()
	}
	return err
}

func (g *Garble) between(phigated net.Conn) {
	runtime, err := net.Dial("unix", g.runtime)
	if err != nil {
		_ = phigated.Close()
		return
	}
	g.mu.Lock()
	g.conns = append(g.conns, phigated, runtime)
	g.mu.Unlock()
	go g.hand(phigated, runtime, false)
	g.hand(runtime, phigated, true)
}

// hand hands on until one of the two has ended, and then ends both.
func (g *Garble) hand(to, from net.Conn, phigated bool) {
	defer to.Close()
	defer from.Close()
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if err != nil {
			return
		}
		if phigated && g.on.Load() {
			g.garbled.Add(1)
			_, _ = rand.Read(buf[:n])
		}
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
	}
}

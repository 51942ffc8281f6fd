package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/phigate/phigate/plugin/ask/judge"
)

// Judge answers one question and closes root. It returns when ctx ends, which
// it does when the time for the answer is up or the asker has gone.
type Judge func(ctx context.Context, q judge.Question, config []byte, root *os.File) judge.Answer

const (
	maxAsking   = 256              // questions at one time; more wait for their turn
	readWithin  = 10 * time.Second // for a question to be there whole
	writeWithin = 5 * time.Second
	maxWithin   = 10 * time.Minute
	maxMargin   = time.Second
)

// ServeGate answers doors outside phigated on the socket until ctx ends, then
// waits for the answers under way.
func ServeGate(ctx context.Context, l net.Listener, answer Judge, log *slog.Logger) (wait func()) {
	g := &gate{judge: answer, log: log, turns: make(chan struct{}, maxAsking)}
	context.AfterFunc(ctx, func() { _ = l.Close() })
	done := make(chan struct{})
	go func() { defer close(done); g.serve(ctx, l) }()
	return func() { <-done; g.running.Wait() }
}

type gate struct {
	judge   Judge
	log     *slog.Logger
	turns   chan struct{}
	running sync.WaitGroup
}

func (g *gate) serve(ctx context.Context, l net.Listener) {
	for ctx.Err() == nil {
		g.turns <- struct{}{}
		c, err := l.Accept()
		if err != nil {
			<-g.turns
			if ctx.Err() == nil {
				g.log.Error("accepting a question", "error", err)
				time.Sleep(100 * time.Millisecond) // out of descriptors, perhaps
			}
			continue
		}
		g.running.Go(func() {
			defer func() { <-g.turns }()
			defer c.Close()
			if err := g.one(ctx, c.(*net.UnixConn)); err != nil {
				g.log.Warn("a question about a container was not answered", "error", err)
			}
		})
	}
}

// one reads a question and answers it.
func (g *gate) one(ctx context.Context, c *net.UnixConn) error {
	if err := byRoot(c); err != nil {
		return err
	}
	_ = c.SetReadDeadline(time.Now().Add(readWithin))
	q, config, root, err := receive(c)
	if err != nil {
		return err
	}
	_ = c.SetReadDeadline(time.Time{})
	if gone(c) { // while we hung: an admission of what will not run would be in the log
		root.Close()
		return fmt.Errorf("who asked about container %q has not waited", q.ID)
	}
	within := min(max(q.Within, 0), maxWithin)
	within -= min(within/10, maxMargin) // so that what is said at the last moment still arrives
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	go func() { // nothing more is said: what comes is the end
		_, _ = c.Read(make([]byte, 1))
		cancel()
	}()
	a := g.judge(ctx, q, config, root)
	_ = c.SetWriteDeadline(time.Now().Add(writeWithin))
	if err := judge.WriteAnswer(c, a); err != nil {
		return fmt.Errorf("answering about container %q: %w", q.ID, err)
	}
	return nil
}

// gone says whether the asker has closed the connection.
func gone(c *net.UnixConn) (closed bool) {
	raw, err := c.SyscallConn()
	if err != nil {
		return true
	}
	err = raw.Control(func(fd uintptr) {
		n, _, err := unix.Recvfrom(int(fd), make([]byte, 1), unix.MSG_PEEK|unix.MSG_DONTWAIT)
		closed = err == nil && n == 0 || err == unix.ECONNRESET
	})
	return closed || err != nil
}

func byRoot(c *net.UnixConn) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var peer *unix.Ucred
	cerr := raw.Control(func(fd uintptr) { peer, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) })
	if err = errors.Join(cerr, err); err != nil {
		return fmt.Errorf("asking who asks: %w", err)
	}
	if peer.Uid != 0 {
		return fmt.Errorf("user %d (process %d) asked; root alone may", peer.Uid, peer.Pid)
	}
	return nil
}

// receive reads a question and the descriptor that comes with its first byte.
func receive(c *net.UnixConn) (q judge.Question, config []byte, root *os.File, err error) {
	head, oob := make([]byte, judge.HeadSize), make([]byte, unix.CmsgSpace(4*4))
	n, on, _, _, err := c.ReadMsgUnix(head, oob)
	if err != nil {
		return q, nil, nil, fmt.Errorf("reading a question: %w", err)
	}
	files, err := descriptors(oob[:on])
	defer func() {
		if err != nil {
			for _, f := range files {
				f.Close()
			}
		}
	}()
	if err == nil && len(files) != 1 {
		err = fmt.Errorf("%d descriptors came with a question; one is taken", len(files))
	}
	if err == nil {
		_, err = io.ReadFull(c, head[n:])
	}
	if err == nil {
		q, config, err = judge.ReadQuestion(head, c)
	}
	if err != nil {
		return q, nil, nil, fmt.Errorf("reading a question: %w", err)
	}
	return q, config, files[0], nil
}

func descriptors(oob []byte) ([]*os.File, error) {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil, err
	}
	var files []*os.File
	for i := range messages {
		fds, err := unix.ParseUnixRights(&messages[i])
		if err != nil {
			return files, err
		}
		for _, fd := range fds {
			files = append(files, os.NewFile(uintptr(fd), "root"))
		}
	}
	return files, nil
}

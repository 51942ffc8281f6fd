package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/phigate/phigate/plugin/audit"
	"github.com/phigate/phigate/plugin/journal"
	"github.com/phigate/phigate/plugin/report"
)

// exported is a log whose records go to a journal, as phigated's do.
type exported struct {
	*audit.Log
	socket *net.UnixConn
	read   atomic.Int64 // entries that the journal took
	stop   context.CancelFunc
	done   chan error
}

// Entries implements journal.Source.
func (e *exported) Entries(ctx context.Context, from uint64, fn func(report.Entry) error) error {
	return e.Log.Entries(ctx, from, func(r audit.Entry) error {
		return fn(report.Entry{LogID: r.Log, Seq: r.Seq, Leaf: hex.EncodeToString(r.Leaf[:]), Decision: r.Decision})
	})
}

// export opens a log and sends what it records to a socket, which is read at once
// or, as that of a journald that hangs, never.
func export(dir string, hangs bool) (*exported, error) {
	log, err := audit.Open(filepath.Join(dir, "decisions"), audit.Options{Checkpoint: time.Second})
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, "socket")
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return nil, errors.Join(err, log.Close())
	}
	ctx, stop := context.WithCancel(context.Background())
	e := &exported{Log: log, socket: socket, stop: stop, done: make(chan error, 1)}
	if !hangs {
		go e.drain()
	}
	go func() {
		x := journal.Exporter{Journal: journal.Journal{Socket: path}, Source: e, Cursor: filepath.Join(dir, "cursor"), Log: slog.New(slog.DiscardHandler)}
		e.done <- x.Run(ctx)
	}()
	return e, nil
}

func (e *exported) drain() {
	buf := make([]byte, 64<<10)
	for {
		if _, _, err := e.socket.ReadFrom(buf); err != nil {
			return
		}
		e.read.Add(1)
	}
}

// close may find the exporter with records that nobody took.
func (e *exported) close() error {
	e.stop()
	<-e.done
	return errors.Join(e.socket.Close(), e.Log.Close())
}

// hung measures a record, from the call until it is durable, beside a journal that
// is read and beside one that hangs, in turns.
func hung(top string, n int) error {
	var logs [2]*exported
	var took [2][]time.Duration
	for i := range logs {
		dir, err := filepath.Abs(filepath.Join(top, fmt.Sprint("journal-", i)))
		if err != nil {
			return err
		}
		if logs[i], err = export(dir, i == 1); err != nil {
			return err
		}
		defer logs[i].close() //nolint:errcheck // it is a benchmark
	}
	for turn := range 2 * n {
		i := (turn + turn/2) % 2 // each goes first as often as the other
		began := time.Now()
		if _, err := logs[i].Record(context.Background(), decision()); err != nil {
			return err
		}
		took[i] = append(took[i], time.Since(began))
	}
	works50, works99 := percentiles(took[0])
	hung50, hung99 := percentiles(took[1])
	fmt.Printf("verdict, journald works      p50 %8v   p99 %8v   (%d of %d records taken meanwhile)\n", works50, works99, logs[0].read.Load(), n)
	fmt.Printf("verdict, journald hangs      p50 %8v   p99 %8v   %.2f x and %.2f x (goal: nothing added)\n", hung50, hung99, float64(hung50)/float64(works50), float64(hung99)/float64(works99))
	return nil
}

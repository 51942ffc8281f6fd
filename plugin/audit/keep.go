package audit

import (
	"context"
	"time"

	"github.com/phigate/phigate/policy"
)

// KindHeartbeat is the kind of a record that says only that the log lives.
const KindHeartbeat = "heartbeat"

// checkpointLeaves is after how many records a checkpoint is signed before its
// time has come.
const checkpointLeaves = 1000

// keep does what is due from time to time: head made durable, heartbeats,
// checkpoints.
func (l *Log) keep() {
	defer close(l.kept)
	l.keepReserve()
	l.measure()
	l.checkHashes()
	every := time.Second
	if l.options.Checkpoint > 0 {
		every = l.options.Checkpoint
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	var last uint64
	grown := time.Now() // by the monotonic clock: the records' own may have been set back
	for {
		select {
		case <-l.stop:
			<-l.done
			l.keepUp()
			return
		case <-tick.C:
		}
		l.keepUp()
		if seq := l.Seq(); seq != last {
			last, grown = seq, time.Now()
		}
		if l.options.Heartbeat > 0 && time.Since(grown) >= l.options.Heartbeat {
			l.heartbeat()
		}
	}
}

// keepUp makes head durable and signs a checkpoint, where something has come.
func (l *Log) keepUp() {
	l.keepReserve()
	if err := l.head.sync(); err != nil {
		l.log.Warn("decision log: noting where it ends", "error", err)
	}
	l.mu.Lock()
	t, dead := l.tree.clone(), l.err != nil
	l.mu.Unlock()
	if l.options.Checkpoint == 0 || t.size == l.signed.Size || dead {
		return
	}
	c, err := l.sign(t, l.now())
	if err == nil {
		l.mu.Lock()
		l.signed = c
		l.mu.Unlock()
		err = l.saveNote(checkpointName, c.Note)
	}
	if err != nil {
		l.log.Error("decision log: no checkpoint", "error", err)
		return
	}
	if l.options.Publish != nil {
		l.options.Publish(c)
	}
}

// heartbeat records that the log lives.
func (l *Log) heartbeat() {
	ctx, cancel := context.WithTimeout(context.Background(), l.options.Heartbeat)
	defer cancel()
	_, err := l.Record(ctx, &policy.Decision{Kind: KindHeartbeat, Verdict: policy.Allow, Findings: []policy.Record{}, Skipped: []policy.SkipEntry{}})
	if err != nil {
		l.log.Error("decision log: no heartbeat", "error", err)
	}
}

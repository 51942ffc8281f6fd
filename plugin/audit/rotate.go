package audit

import (
	"errors"
	"fmt"
	"slices"
)

// startSegment makes the segment that begins at a position, durably, and goes on
// in it.
func (l *Log) startSegment(at position) error {
	first := at.seq() + 1
	name := segmentName(first)
	if err := l.moveAside(name, ".torn"); err != nil { // nothing in it was durable
		return fmt.Errorf("beginning a segment of the decision log: %w", err)
	}
	f, err := l.newSegment(name, header{Format: segmentFormat, Log: l.origin, First: first, Epoch: at.epoch, Edge: at.tree.edge})
	if err != nil {
		return err
	}
	old := l.file
	at.size = blockSize
	l.place(first, f, at)
	if old != nil {
		old.Close() // all of it is durable, or it is abandoned
	}
	return l.writeHead("")
}

func (l *Log) newSegment(name string, h header) (file, error) {
	line, err := makeBlock(h)
	if err != nil {
		return nil, fmt.Errorf("beginning a segment of the decision log: %w", err)
	}
	f, err := l.disk.create(name)
	if err != nil {
		return nil, fmt.Errorf("beginning a segment of the decision log: %w", err)
	}
	if _, err = f.WriteAt(line, 0); err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = l.disk.sync()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("beginning a segment of the decision log: %w", err), f.Close(), l.disk.remove(name))
	}
	return f, nil
}

// writeHead puts down where the log ends now.
func (l *Log) writeHead(abandoned string) error {
	return l.head.write(head{
		Log: l.origin, Segment: l.segment, Seq: l.durable.seq, Size: l.durable.size, Time: l.last,
		Epoch: l.epoch, Key: l.key, Edge: slices.Clone(l.tree.edge), Abandoned: abandoned,
	})
}

// rotate goes on in a new segment when the batch does not fit into this one.
func (l *Log) rotate() error {
	first := l.durable.seq + 1
	f, err := l.newSegment(segmentName(first), header{Format: segmentFormat, Log: l.origin, First: first, Epoch: l.epoch, Edge: l.tree.edge})
	if err != nil {
		return err
	}
	l.mu.Lock()
	old := l.file
	l.file, l.segment, l.index = f, first, index{}
	l.older += l.durable.size
	l.durable.size = blockSize
	l.mu.Unlock()
	if err := old.Close(); err != nil { // what it holds is durable
		l.log.Warn("decision log: closing a full segment", "error", err)
	}
	return nil
}

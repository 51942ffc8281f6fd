package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/bits"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// ErrUncovered is the answer for a record that no checkpoint covers yet.
var ErrUncovered = errors.New("no checkpoint covers the record yet")

// Prove writes the proof that record number seq is in the log in the folder dir
// (C2SP tlog-proof): its index, the hashes from its leaf to the root, and the
// checkpoint with that root. The signed note may carry cosignatures of witnesses;
// nil takes the one that lies in the folder. verifier is the log's verifier key,
// "" the one in the folder.
//
// The proof is for the leaf alone, [Entry.Leaf]. Whoever checks it needs neither
// phigate nor the rest of the log.
func Prove(ctx context.Context, dir string, seq uint64, signed []byte, verifier string) ([]byte, error) {
	fsys := os.DirFS(dir)
	c, err := provenBy(fsys, dir, signed, verifier)
	if err != nil {
		return nil, err
	}
	if seq == 0 || seq > c.Size {
		return nil, fmt.Errorf("proving record %d: %w: the checkpoint covers %d", seq, ErrUncovered, c.Size)
	}
	sub := &subtrees{ctx: ctx, fsys: fsys, dir: dir}
	path, err := tlog.ProveRecord(int64(c.Size), int64(seq-1), sub)
	if err != nil {
		return nil, fmt.Errorf("proving record %d: %w", seq, err)
	}
	var leaf tlog.Hash
	found := errors.New("found")
	r := reader{fsys: fsys, dir: dir, from: seq}
	err = r.read(ctx, func(_, _ string, fr frame) error {
		if fr.seq() == seq {
			leaf = fr.leaf()
		}
		return found
	})
	if !errors.Is(err, found) {
		return nil, errors.Join(fmt.Errorf("proving record %d: it is not here", seq), err)
	}
	if err := tlog.CheckRecord(path, int64(c.Size), c.Root, int64(seq-1), leaf); err != nil {
		return nil, fmt.Errorf("proving record %d: the log does not have the root of its checkpoint: see what is wrong with phigate audit verify", seq)
	}
	return formatProof(seq-1, path, c.Note), nil
}

// provenBy is the checkpoint that a proof leads to.
func provenBy(fsys fs.FS, dir string, signed []byte, verifier string) (Checkpoint, error) {
	if verifier == "" {
		data, err := fs.ReadFile(fsys, verifierName)
		if err != nil {
			return Checkpoint{}, fmt.Errorf("reading the verifier key: %w", err)
		}
		verifier = strings.TrimSpace(string(data))
	}
	v, err := note.NewVerifier(verifier)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("reading the verifier key: %w", err)
	}
	if signed == nil {
		if signed, err = fs.ReadFile(fsys, checkpointName); err != nil {
			return Checkpoint{}, fmt.Errorf("reading %s: %w", filepath.Join(dir, checkpointName), err)
		}
	}
	c, _, err := OpenCheckpoint(signed, v)
	return c, err
}

func formatProof(index uint64, path tlog.RecordProof, checkpoint []byte) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "c2sp.org/tlog-proof@v1\nindex %d\n", index)
	for _, h := range path {
		fmt.Fprintf(&b, "%s\n", h)
	}
	b.WriteByte('\n')
	b.Write(checkpoint)
	return b.Bytes()
}

// subtrees reads hashes of a log's tree from its segments: one pass over the
// records, and no more memory than the hashes that are asked for. What was
// archived counts as far as the first line of the first segment tells of it.
type subtrees struct {
	ctx  context.Context
	fsys fs.FS
	dir  string
}

// span is a complete subtree that was asked for.
type span struct {
	start, end uint64 // the leaves, by index
	at         int    // in the answer
	tree       tree
}

// ReadHashes implements [tlog.HashReader].
func (s *subtrees) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	var spans []span
	for i, index := range indexes {
		level, n := tlog.SplitStoredHashIndex(index)
		spans = append(spans, span{start: uint64(n) << level, end: uint64(n+1) << level, at: i})
	}
	slices.SortFunc(spans, func(a, b span) int { return int(int64(a.start) - int64(b.start)) })
	if len(spans) == 0 {
		return out, nil
	}
	h, err := firstHeader(s.fsys, s.dir)
	if err != nil {
		return nil, err
	}
	spans = pruned(spans, h, out)
	done := errors.New("done")
	r := reader{fsys: s.fsys, dir: s.dir}
	err = r.read(s.ctx, func(_, _ string, fr frame) error {
		if len(spans) == 0 {
			return done
		}
		index := fr.seq() - 1
		if x := &spans[0]; index >= x.start {
			if x.start+x.tree.size != index {
				return fmt.Errorf("record %d is not here", x.start+x.tree.size+1)
			}
			x.tree.add(fr.leaf(), nil)
			if index+1 == x.end {
				out[x.at] = x.tree.root()
				spans = spans[1:]
			}
		}
		return nil
	})
	if err != nil && !errors.Is(err, done) {
		return nil, err
	}
	if len(spans) > 0 {
		return nil, fmt.Errorf("the log ends before record %d", spans[0].end)
	}
	return out, nil
}

// pruned answers the spans that end before the first record that is there, and
// begins those that reach over it.
func pruned(spans []span, h header, out []tlog.Hash) []span {
	before := h.First - 1
	var left []span
	for _, x := range spans {
		if x.start < before {
			x.tree = edgeWithin(h, x.start, min(x.end, before))
			if x.end <= before {
				if len(x.tree.edge) == 1 {
					out[x.at] = x.tree.edge[0]
				}
				continue
			}
		}
		left = append(left, x)
	}
	return left
}

// edgeWithin is the part of a header's edge between two leaves.
func edgeWithin(h header, start, end uint64) tree {
	t := tree{size: end - start}
	at, before := uint64(0), h.First-1
	for _, hash := range h.Edge {
		size := uint64(1) << (bits.Len64(before-at) - 1)
		if at >= start && at+size <= end {
			t.edge = append(t.edge, hash)
		}
		at += size
	}
	return t
}

// firstHeader is that of the first segment that is there.
func firstHeader(fsys fs.FS, dir string) (header, error) {
	firsts, err := listSegments(fsys, dir)
	if err != nil {
		return header{}, err
	}
	if len(firsts) == 0 {
		return header{}, fmt.Errorf("opening decision log %s: %w", dir, fs.ErrNotExist)
	}
	name := segmentName(firsts[0])
	at, closer, _, err := openSegment(fsys, name)
	if err != nil {
		return header{}, fmt.Errorf("opening decision log: %w", err)
	}
	defer closer.Close()
	return readHeader(at, name)
}

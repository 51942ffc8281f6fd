package audit

import (
	"crypto/sha256"
	"math/bits"

	"golang.org/x/mod/sumdb/tlog"
)

// tree is the right edge of an RFC 6962 Merkle tree: the hashes of the complete
// subtrees that its leaves fall into, the largest first. It is all that adding
// leaves and the root need, whatever lies to the left.
type tree struct {
	size uint64
	edge []tlog.Hash
}

// add appends a leaf and calls done, which may be nil, with each hash that it
// completes, in the order of [tlog.StoredHashIndex].
func (t *tree) add(leaf tlog.Hash, done func(tlog.Hash)) {
	h := leaf
	if done != nil {
		done(h)
	}
	for range bits.TrailingZeros64(t.size + 1) {
		h = nodeHash(t.edge[len(t.edge)-1], h)
		t.edge = t.edge[:len(t.edge)-1]
		if done != nil {
			done(h)
		}
	}
	t.edge = append(t.edge, h)
	t.size++
}

// root is the tree's hash; of an empty one, SHA-256 of nothing.
func (t *tree) root() tlog.Hash {
	if len(t.edge) == 0 {
		return sha256.Sum256(nil)
	}
	h := t.edge[len(t.edge)-1]
	for i := len(t.edge) - 2; i >= 0; i-- {
		h = nodeHash(t.edge[i], h)
	}
	return h
}

// clone shares nothing with t.
func (t *tree) clone() tree { return tree{t.size, append([]tlog.Hash(nil), t.edge...)} }

// whole says whether the edge can be that of a tree of this size.
func (t *tree) whole() bool { return bits.OnesCount64(t.size) == len(t.edge) }

// nodeHash is [tlog.NodeHash] without its allocations.
func nodeHash(left, right tlog.Hash) tlog.Hash {
	var b [1 + 2*sha256.Size]byte
	b[0] = 1 // RFC 6962, section 2.1
	copy(b[1:], left[:])
	copy(b[1+sha256.Size:], right[:])
	return sha256.Sum256(b[:])
}

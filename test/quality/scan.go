package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/phigate/phigate/plugin/cache"
	"github.com/phigate/phigate/plugin/inspect"
	"github.com/phigate/phigate/plugin/inspect/expand"
	"github.com/phigate/phigate/plugin/rootfs"
	"github.com/phigate/phigate/policy/detect"
	"github.com/phigate/phigate/policy/detect/catalogue"
)

// verdict is what was found in one file.
type verdict struct {
	phi    int // findings of PHI
	people int
	rules  []string
}

// identities collects what the detectors took for identifiers of people, so
// that outputs can be searched for them.
type identities struct {
	mu   sync.Mutex
	seen map[string]struct{}
}

// keyed is a hash instead of an HMAC: nothing here is kept.
func (i *identities) keyed(identity []byte) [16]byte {
	if i != nil {
		i.mu.Lock()
		i.seen[string(identity)] = struct{}{}
		i.mu.Unlock()
	}
	sum := sha256.Sum256(identity)
	return [16]byte(sum[:])
}

// scan reads a tree with all detectors, as phigate scan does.
func scan(ctx context.Context, root string, ids *identities) (*cache.Facts, error) {
	return scanTree(ctx, root, rootfs.Dir(root), ids)
}

func scanTree(ctx context.Context, root string, tree rootfs.Tree, ids *identities) (*cache.Facts, error) {
	set, err := detect.NewSet(catalogue.All())
	if err != nil {
		return nil, err
	}
	state, err := os.MkdirTemp("", "phigate-quality-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(state)
	store, err := cache.Temporary(state)
	if err != nil {
		return nil, err
	}
	defer store.Close()
	w, err := store.Begin(root)
	if err != nil {
		return nil, err
	}
	defer w.Abort()
	s := inspect.Scanner{Detectors: set, Keyed: ids.keyed, Expand: expand.Defaults(), Workers: 2}
	s.Expand.Spool = state
	facts, err := s.Scan(ctx, tree, w, nil)
	if err != nil {
		return nil, fmt.Errorf("scanning %s: %w", root, err)
	}
	return facts, nil
}

// byFile sums up what was found in each file, what is within it included.
func byFile(facts *cache.Facts) map[string]*verdict {
	found := map[string]*verdict{}
	for _, f := range facts.Findings {
		v := found[f.Where.Path]
		if v == nil {
			v = &verdict{}
			found[f.Where.Path] = v
		}
		if !slices.Contains(v.rules, f.Rule) {
			v.rules = append(v.rules, f.Rule)
		}
		if blocks(f.Rule) {
			v.phi++
			v.people = max(v.people, f.Individuals.Point)
		}
	}
	return found
}

// blocks says whether a rule is about PHI in content; a telling name is none.
func blocks(rule string) bool {
	return strings.HasPrefix(rule, "phi-") && rule != "phi-name"
}

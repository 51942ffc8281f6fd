package inspect

import (
	"container/list"
	"sync"
)

// memo keeps computed values, the least recently used go first. Its bound is a
// sum of costs. It is safe for concurrent use; the zero value with a bound is
// ready.
type memo[K comparable, V any] struct {
	bound int

	mu    sync.Mutex
	byKey map[K]*list.Element
	order list.List // of memoEntry[K, V]; front: most recently used
	cost  int
}

type memoEntry[K comparable, V any] struct {
	key   K
	value V
	cost  int
}

func (m *memo[K, V]) get(key K) (value V, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e, ok := m.byKey[key]
	if !ok {
		return value, false
	}
	m.order.MoveToFront(e)
	return e.Value.(memoEntry[K, V]).value, true
}

// put keeps a value unless it alone exceeds the bound.
func (m *memo[K, V]) put(key K, value V, cost int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.byKey == nil {
		m.byKey = map[K]*list.Element{}
	}
	if e, ok := m.byKey[key]; ok {
		m.remove(e)
	}
	if cost > m.bound {
		return
	}
	m.byKey[key] = m.order.PushFront(memoEntry[K, V]{key, value, cost})
	for m.cost += cost; m.cost > m.bound; {
		m.remove(m.order.Back())
	}
}

func (m *memo[K, V]) remove(e *list.Element) {
	entry := m.order.Remove(e).(memoEntry[K, V])
	delete(m.byKey, entry.key)
	m.cost -= entry.cost
}

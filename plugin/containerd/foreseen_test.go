package containerd

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	client "github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/core/containers"
	"github.com/containerd/typeurl/v2"
	"google.golang.org/protobuf/types/known/anypb"
)

// record is what containerd keeps of a container that its CRI plugin made.
func record(id string) containers.Container {
	return containers.Container{
		ID: id, Image: "localhost/app:1", Snapshotter: "overlayfs", SnapshotKey: id, SandboxID: "p1",
		CreatedAt: time.Unix(1000, 0), UpdatedAt: time.Unix(1000, 0), Labels: map[string]string{"app": "portal"},
		Runtime: containers.RuntimeInfo{Name: "io.containerd.runc.v2", Options: of("options")},
		Spec:    of(`{"process":{"args":["/bin/app"]}}`),
		Extensions: map[string]typeurl.Any{
			containerMetadata: of(`{"Version":"v1","Metadata":{"SandboxID":"p1","ImageRef":"sha256:c"}}`),
		},
	}
}

func of(value string) typeurl.Any { return &anypb.Any{TypeUrl: "t", Value: []byte(value)} }

// store is a containerd that keeps records and counts what it is asked.
type store struct {
	containers.Store
	mu    sync.Mutex
	kept  map[string]containers.Container
	asked int
}

func (s *store) Get(_ context.Context, id string) (containers.Container, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	c, ok := s.kept[id]
	if !ok {
		return c, errors.New("no such container")
	}
	return c, nil
}

func (s *store) put(c containers.Container) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept[c.ID] = c
}

func open(t *testing.T) (*Client, *store) {
	t.Helper()
	s := &store{kept: map[string]containers.Container{}}
	c, err := client.New("", client.WithServices(client.WithContainerStore(s)))
	if err != nil {
		t.Fatal(err)
	}
	return &Client{c: c, foreseeing: make(chan struct{}, 4), foreseen: map[string]*Foreseen{}}, s
}

// foretell has the client foresee a container and waits for it.
func foretell(t *testing.T, c *Client, id string) {
	t.Helper()
	c.ForeseeContainer(t.Context(), id)
	time.Sleep(2 * foreseeAfter)
	synctest.Wait()
}

// kept is how many are foreseen once all that is due has happened.
func kept(c *Client) int {
	synctest.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.foreseen)
}

// Each of a record's fields tells it from another: a field that containerd adds
// and nobody compares fails here.
func TestEachFieldOfARecordIsCompared(t *testing.T) {
	changes := map[string]func(*containers.Container){
		"ID":          func(c *containers.Container) { c.ID = "c2" },
		"Labels":      func(c *containers.Container) { c.Labels = map[string]string{"app": "other"} },
		"Image":       func(c *containers.Container) { c.Image = "localhost/other:1" },
		"Runtime":     func(c *containers.Container) { c.Runtime.Options = of("others") },
		"Spec":        func(c *containers.Container) { c.Spec = of(`{"process":{"args":["/bin/apq"]}}`) },
		"SnapshotKey": func(c *containers.Container) { c.SnapshotKey = "c2" },
		"Snapshotter": func(c *containers.Container) { c.Snapshotter = "native" },
		"CreatedAt":   func(c *containers.Container) { c.CreatedAt = time.Unix(1001, 0) },
		"UpdatedAt":   func(c *containers.Container) { c.UpdatedAt = time.Unix(1001, 0) },
		"Extensions": func(c *containers.Container) {
			c.Extensions = map[string]typeurl.Any{containerMetadata: of(`{"Version":"v1","Metadata":{"SandboxID":"p2"}}`)}
		},
		"SandboxID": func(c *containers.Container) { c.SandboxID = "p2" },
	}
	more := map[string]func(*containers.Container){
		"runtime_name":        func(c *containers.Container) { c.Runtime.Name = "io.containerd.other.v1" },
		"runtime_without":     func(c *containers.Container) { c.Runtime.Options = nil },
		"spec_of_another_url": func(c *containers.Container) { c.Spec = &anypb.Any{TypeUrl: "u", Value: c.Spec.GetValue()} },
		"spec_gone":           func(c *containers.Container) { c.Spec = nil },
		"one_label_more":      func(c *containers.Container) { c.Labels = map[string]string{"app": "portal", "b": ""} },
		"one_extension_more": func(c *containers.Container) {
			c.Extensions = map[string]typeurl.Any{containerMetadata: c.Extensions[containerMetadata], "x": of("x")}
		},
	}
	for field := range reflect.TypeFor[containers.Container]().Fields() {
		if changes[field.Name] == nil {
			t.Errorf("no case for field %s of a record: is it compared?", field.Name)
		}
	}
	for name, change := range more {
		changes[name] = change
	}
	for name, change := range changes {
		t.Run(strings.ToLower(name), func(t *testing.T) {
			a, b := record("c1"), record("c1")
			if !same(&a, &b) {
				t.Fatal("two records that are equal are not the same")
			}
			change(&b)
			if same(&a, &b) || same(&b, &a) {
				t.Error("it is still the same")
			}
		})
	}
}

func TestForeseen(t *testing.T) {
	tests := []struct {
		name     string
		made     func(*containers.Container) // the record as it is made
		then     func(*store)                // what happens before the start
		foreseen bool
		same     bool
	}{
		{"unchanged", nil, nil, true, true},
		{"spec_changed", nil, func(s *store) {
			c := record("c1")
			c.Spec = of(`{"process":{"args":["/bin/app"]},"root":{"readonly":false}}`)
			s.put(c)
		}, true, false},
		{"updated_to_the_same", nil, func(s *store) {
			c := record("c1")
			c.UpdatedAt = time.Unix(2000, 0)
			s.put(c)
		}, true, false},
		{"gone", nil, func(s *store) { delete(s.kept, "c1") }, true, false},
		{"a_sandbox", func(c *containers.Container) { c.Extensions = nil }, nil, false, false},
		{"no_spec", func(c *containers.Container) { c.Spec = nil }, nil, false, false},
		{"not_json", func(c *containers.Container) { c.Spec = of("{") }, nil, false, false},
		{"too_large", func(c *containers.Container) {
			c.Spec = of(`{"hostname":"` + strings.Repeat("a", maxForeseenBytes) + `"}`)
		}, nil, false, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, s := open(t)
				made := record("c1")
				if tt.made != nil {
					tt.made(&made)
				}
				s.put(made)
				foretell(t, c, "c1")
				f := c.Foreseen("c1")
				if got := f != nil; got != tt.foreseen {
					t.Fatalf("foreseen %v, want %v", got, tt.foreseen)
				}
				if f == nil {
					return
				}
				if tt.then != nil {
					tt.then(s)
				}
				if got := c.Same(t.Context(), f); got != tt.same || s.asked != 2 {
					t.Errorf("the same %v after %d questions, want %v after 2: each start reads the record", got, s.asked, tt.same)
				}
				if c.Foreseen("c1") != nil {
					t.Error("it was handed out twice")
				}
			})
		})
	}
}

// What was foreseen equals what is read at once.
func TestForeseenIsTheRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := open(t)
		s.put(record("c1"))
		foretell(t, c, "c1")
		read, err := c.Container(t.Context(), "c1")
		if f := c.Foreseen("c1"); err != nil || f == nil || !reflect.DeepEqual(f.Record, read) {
			t.Errorf("foreseen %v (error %v), and not as it is read", f != nil, err)
		}
	})
}

func TestForeseenIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := open(t)
		s.put(record("c1"))
		foretell(t, c, "c1")
		time.Sleep(foreseenFor / 2)
		foretell(t, c, "c1") // the newer one has its own time
		time.Sleep(foreseenFor * 3 / 4)
		if n := kept(c); n != 1 {
			t.Errorf("%d are kept, want the newer one", n)
		}
		time.Sleep(foreseenFor)
		if n := kept(c); n != 0 {
			t.Errorf("%d are kept after %s", n, foreseenFor)
		}
	})
}

func TestForeseenAreFew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := open(t)
		for i := range 5 * maxForeseen {
			id := fmt.Sprintf("c%d", i)
			s.put(record(id))
			foretell(t, c, id)
			if n := kept(c); n > maxForeseen {
				t.Fatalf("%d are kept, more than %d", n, maxForeseen)
			}
			if i%maxForeseen == 0 && c.Foreseen(id) == nil {
				t.Fatal("the newest is not kept")
			}
		}
	})
}

// Many are made, changed and started at one time; none is taken for what it no
// longer is.
func TestForeseenTogether(t *testing.T) {
	c, s := open(t)
	var wg sync.WaitGroup
	for i := range 64 {
		wg.Go(func() {
			id := fmt.Sprintf("c%d", i)
			s.put(record(id))
			c.ForeseeContainer(t.Context(), id)
			time.Sleep(2 * foreseeAfter)
			if i%2 == 0 {
				changed := record(id)
				changed.Spec = of(`{"process":{"args":["/bin/other"]}}`)
				s.put(changed)
			}
			if f := c.Foreseen(id); f != nil && c.Same(t.Context(), f) && f.Spec.Process.Args[0] == "/bin/app" && i%2 == 0 {
				t.Error("a changed record is taken for the same")
			}
		})
	}
	wg.Wait()
}

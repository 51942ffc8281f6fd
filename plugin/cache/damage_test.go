package cache

import (
	"bytes"
	"errors"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestDamagedFiles(t *testing.T) {
	whole := func(t *testing.T, path string) []byte {
		s, _ := open(t, path, "1")
		put(t, s, "k", sampleFacts(), sampleNames(20000)...)
		must(t, s.Close())
		data, err := os.ReadFile(path)
		must(t, err)
		return data
	}
	tests := map[string]func(data []byte) []byte{
		"garbage":       func([]byte) []byte { return bytes.Repeat([]byte("not a database\n"), 10000) },
		"short_garbage": func([]byte) []byte { return []byte("x") },
		"truncated":     func(d []byte) []byte { return d[:len(d)/2] },
		"cut_to_a_page": func(d []byte) []byte { return d[:4096] },
		"zeroed_middle": func(d []byte) []byte { clear(d[len(d)/8 : len(d)*7/8]); return d },
		"zeroed_metas":  func(d []byte) []byte { clear(d[:8192]); return d },
		"all_flipped": func(d []byte) []byte {
			for i := 8192; i < len(d); i++ {
				d[i] ^= 0x55
			}
			return d
		},
	}
	for name, damage := range tests {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "facts.db")
			must(t, os.WriteFile(path, damage(whole(t, path)), 0o600))
			s, log := open(t, path, "1")
			if _, ok, err := s.Get("k"); ok || err != nil {
				t.Errorf("facts of a damaged file: %v, %v", ok, err)
			}
			put(t, s, "k", Facts{}, Name{Path: "/a"})
			if _, err := os.Stat(path + ".corrupt-1"); err != nil {
				t.Errorf("not set aside: %v", err)
			}
			if strings.Count(log.String(), "\n") != 1 {
				t.Errorf("log has %d lines", strings.Count(log.String(), "\n"))
			}
		})
	}
	t.Run("flipped_bits_never_lie", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "facts.db")
		data := whole(t, path)
		want := sampleNames(20000)
		random := rand.New(rand.NewPCG(1, 2))
		aside := 0
		for range 25 {
			broken := slices.Clone(data)
			for range 3 {
				broken[random.IntN(len(broken))] ^= 1 << random.IntN(8)
			}
			must(t, os.WriteFile(path, broken, 0o600))
			s, err := Open(path, "1", slog.New(slog.DiscardHandler))
			must(t, err)
			l, ok, err := s.Get("k")
			must(t, err)
			if !ok {
				aside++
			} else if diff := cmp.Diff(want, all(t, l)); diff != "" {
				t.Fatal("damage was taken for facts")
			}
			must(t, s.Close())
		}
		if aside == 0 {
			t.Error("no damage was met")
		}
	})
}

// Whatever is written over the file, and whoever uses it meanwhile: nobody waits
// forever, and the store works again. bbolt panics with its locks held where both
// of its metas are damaged.
func TestOverwrittenWhileUsed(t *testing.T) {
	for round := range 20 {
		path := filepath.Join(t.TempDir(), "facts.db")
		s, _ := open(t, path, "1")
		put(t, s, "k", sampleFacts(), sampleNames(2000)...)
		l := get(t, s, "k")
		stop := make(chan struct{})
		var users sync.WaitGroup
		for _, use := range []func(){
			func() { _, _, _ = s.Get("none") },
			func() { _ = l.Each(func(Name) bool { return true }) },
			func() {
				if w, err := s.Begin("new"); err == nil {
					_ = w.Commit(Facts{})
				}
			},
		} {
			users.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
						use()
					}
				}
			})
		}
		overwrite(t, path, rand.NewChaCha8([32]byte{byte(round)}))
		time.Sleep(20 * time.Millisecond)
		close(stop)
		ended := make(chan struct{})
		go func() { users.Wait(); close(ended) }()
		select {
		case <-ended:
		case <-time.After(20 * time.Second):
			t.Fatal("somebody waits forever")
		}
		_, _, _ = s.Get("none") // who is the first to meet the damage
		put(t, s, "again", Facts{}, Name{Path: "/a"})
		if names := all(t, get(t, s, "again")); len(names) != 1 {
			t.Errorf("%d names in the rebuilt store", len(names))
		}
		must(t, s.Close())
	}
}

// overwrite puts random bytes where the file's are.
func overwrite(t *testing.T, path string, random *rand.ChaCha8) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	must(t, err)
	info, err := f.Stat()
	must(t, err)
	junk := make([]byte, info.Size())
	_, _ = random.Read(junk)
	_, err = f.WriteAt(junk, 0)
	must(t, err)
	must(t, f.Close())
}

func TestDamageWhileOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "facts.db")
	s, log := open(t, path, "1")
	put(t, s, "k", sampleFacts(), sampleNames(20000)...)
	l := get(t, s, "k")
	late, err := s.Begin("late")
	must(t, err)
	must(t, late.Add(Name{Path: "/late"}))
	must(t, os.Truncate(path, 8192))
	if err := l.Each(func(Name) bool { return true }); !errors.Is(err, ErrCorrupt) {
		t.Fatalf("got %v", err)
	}
	if _, ok, err := s.Get("k"); ok || err != nil {
		t.Errorf("after damage: %v, %v", ok, err)
	}
	other, err := s.Begin("other")
	must(t, err)
	if err := late.Commit(Facts{}); !errors.Is(err, ErrUnknown) {
		t.Errorf("a layer that was begun before the damage: %v", err)
	}
	must(t, other.Commit(Facts{}))
	if names := all(t, get(t, s, "other")); len(names) != 0 {
		t.Errorf("%d names of another layer", len(names))
	}
	put(t, s, "k", Facts{}, Name{Path: "/again"})
	if names := all(t, get(t, s, "k")); len(names) != 1 {
		t.Errorf("%d names in the rebuilt store", len(names))
	}
	if !strings.Contains(log.String(), "damaged") {
		t.Error("nothing was logged")
	}
}

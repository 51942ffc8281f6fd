package attacks

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/phigate/phigate/plugin/journal"
	"github.com/phigate/phigate/test/journald"
)

// interval is how long one sealing key is used: much shorter than the 15 minutes
// of journalctl's default, so that the records lie under several.
const interval = time.Second

// sealed is a journal under Forward Secure Sealing.
type sealed struct {
	t       testing.TB
	records [][]byte
	key     string // to verify with: not on the node
	dir     string // its files as they are in the end
	copies  map[int]string
}

// newSealed writes the records into a journal that seals them. The error is the
// machine's, where its systemd has no sealing.
func newSealed(t testing.TB, records [][]byte) (*sealed, error) {
	s := &sealed{t: t, records: records, copies: map[int]string{}}
	j := journald.New(t)
	j.Settings = "Seal=yes\nCompress=no"
	var err error
	if s.key, err = j.Seal(t, interval); err != nil {
		return nil, err
	}
	sent := 0
	for _, until := range []int{early, late, total} {
		j.Run(t)
		s.send(j, records[sent:until])
		time.Sleep(2 * interval) // what was sent is sealed, and the next key begins
		if until == early {
			j.Rotate(t)
		}
		j.Stop(t)
		s.copies[until], sent = copyOf(s.t, j.Folder(t)), until
	}
	s.dir = s.copies[total]
	return s, nil
}

// send hands records to journald and waits until all are stored.
func (s *sealed) send(j *journald.Journal, records [][]byte) {
	client, err := journal.NewClient(j.Socket)
	if err != nil {
		s.t.Fatal(err)
	}
	defer client.Close()
	before := len(j.Entries(s.t, "SYSLOG_IDENTIFIER=phigate"))
	for _, raw := range records {
		fields := []journal.Field{{Name: "SYSLOG_IDENTIFIER", Value: "phigate"}, {Name: "MESSAGE", Value: string(raw)}}
		for {
			err := client.Send(fields)
			if err == nil {
				break
			}
			if !errors.Is(err, unix.EAGAIN) {
				s.t.Fatal(err)
			}
			time.Sleep(time.Millisecond)
		}
	}
	j.Await(s.t, before+len(records), "SYSLOG_IDENTIFIER=phigate")
}

func (s *sealed) title() string { return "journal, sealed (FSS)" }

func (s *sealed) edited(m means, steps []step) (string, error) {
	switch m {
	case noKey:
		return s.written(payloads(s.records, steps), ""), nil
	case stolenKey:
		return s.written(payloads(s.records, steps), s.dir), nil
	}
	dir := copyOf(s.t, s.dir)
	return dir, s.move(dir, steps, m == itsSum)
}

// written is a journal of other records: unsealed, or sealed with the keys that
// are found in a folder.
func (s *sealed) written(payloads [][]byte, keys string) string {
	j := journald.New(s.t)
	j.Settings = "Seal=no\nCompress=no"
	if keys != "" {
		j.Settings = "Seal=yes\nCompress=no"
		copyFile(s.t, keys, j.Folder(s.t), "fss")
	}
	j.Run(s.t)
	s.send(j, payloads)
	j.Stop(s.t)
	return copyOf(s.t, j.Folder(s.t))
}

func (s *sealed) copied(records int) (string, error) { return s.copies[records], nil }

func (s *sealed) forked() (string, error) {
	j := journald.New(s.t)
	j.Settings = "Seal=yes\nCompress=no"
	copyFiles(s.t, s.copies[early], j.Folder(s.t))
	j.Run(s.t)
	s.send(j, payloads(s.records, fork())[early:])
	j.Stop(s.t)
	return copyOf(s.t, j.Folder(s.t)), nil
}

func (s *sealed) anew() (string, error) {
	return s.written(payloads(s.records, fork()[early:]), s.dir), nil
}

// pruned leaves out the file that was rotated behind the first records.
func (s *sealed) pruned() (string, error) {
	dir := copyOf(s.t, s.dir)
	for path, j := range s.files(dir) {
		if _, _, ok := j.find(s.records[0]); ok {
			return dir, os.Remove(path)
		}
	}
	return "", errors.New("no file holds the first record")
}

func (s *sealed) files(dir string) map[string]*journalFile {
	paths, err := filepath.Glob(filepath.Join(dir, "*.journal"))
	if err != nil {
		s.t.Fatal(err)
	}
	out := map[string]*journalFile{}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			s.t.Fatal(err)
		}
		out[path] = readJournal(data)
	}
	return out
}

// move changes the files' bytes and nothing else: what is changed lies in data
// objects, what is moved about are entries.
func (s *sealed) move(dir string, steps []step, resum bool) error {
	for path, j := range s.files(dir) {
		var entries []span
		var order []int
		for i, raw := range s.records {
			if data, entry, ok := j.find(raw); ok {
				entries = append(entries, entry)
				for _, st := range steps {
					if st.of == i && st.change != nil {
						j.change(data, st.change(raw), resum)
					}
				}
				order = append(order, i)
			}
		}
		var moved []span
		for _, st := range steps {
			if at, ok := slices.BinarySearch(order, st.of); ok {
				moved = append(moved, entries[at])
			}
		}
		if err := os.WriteFile(path, j.with(entries, moved), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// verify asks journalctl, which wants the verification key: without it, it says of
// a sealed file only that the key is needed.
func (s *sealed) verify(folder string) ([]answer, error) {
	whole, _ := journald.Verify(s.t, folder, s.key)
	return []answer{{found: !whole}}, nil
}

package audit

import (
	"strings"
	"testing"
	"time"
)

// hooked is a folder whose segments are synced by a function.
type hooked struct {
	folder
	fdatasync func(file) error
}

type hookedFile struct {
	file
	sync func(file) error
}

func (d hooked) open(name string) (file, error) { return d.hook(name)(d.folder.open(name)) }

func (d hooked) create(name string) (file, error) { return d.hook(name)(d.folder.create(name)) }

func (d hooked) hook(name string) func(file, error) (file, error) {
	return func(f file, err error) (file, error) {
		if err != nil || !strings.HasSuffix(name, segmentSuffix) {
			return f, err
		}
		return hookedFile{f, d.fdatasync}, nil
	}
}

func (f hookedFile) Sync() error { return f.sync(f.file) }

// hookLog opens a log whose segments are synced by the function.
func hookLog(t *testing.T, dir string, sync func(file) error) *Log {
	t.Helper()
	l, err := open(dir, Options{Log: quiet()}, time.Now, hooked{folder(dir), sync})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

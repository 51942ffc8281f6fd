package install

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
)

// Apply makes the changes. It backs up what they touch first. Where one cannot
// be made, those before it are taken back. What lies at a path must still be what the plan saw.
func (t *Tree) Apply(p *Plan) error {
	if len(p.Changes) == 0 {
		return nil
	}
	m, err := readManifest(t)
	if err != nil {
		return err
	}
	if err := t.unchanged(p.Changes); err != nil {
		return err
	}
	if err := t.save(p.Changes); err != nil {
		return err
	}
	before := slices.Clone(m.Entries)
	for _, c := range p.Changes {
		m.note(c)
	}
	m.Released, m.Restart = nil, nil
	// Before the first change: a crash in between leaves a manifest that knows
	// all that may have been changed.
	if err := t.writeManifest(m); err != nil {
		return err
	}
	if err := t.make(p.Changes); err != nil {
		m.Entries = before
		return errors.Join(err, t.writeManifest(m))
	}
	return nil
}

func (t *Tree) unchanged(changes []Change) error {
	for _, c := range changes {
		now, err := t.look(c.Path)
		if err != nil {
			return err
		}
		if !now.same(c.before) {
			return fmt.Errorf("%s changed while this was being planned: run the command again; nothing was changed", c.Path)
		}
	}
	return nil
}

// save copies what will be replaced.
func (t *Tree) save(changes []Change) error {
	if err := t.root.MkdirAll(in(savedFolder), 0o700); err != nil {
		return fmt.Errorf("making the backup folder %s: %w", savedFolder, cause(err))
	}
	for _, name := range []string{path.Dir(Backup), Backup, savedFolder} {
		if err := t.root.Chmod(in(name), 0o700); err != nil {
			return fmt.Errorf("making the backup folder %s: %w", name, cause(err))
		}
	}
	for _, c := range changes {
		if !c.before.regular() {
			continue
		}
		name := path.Join(savedFolder, sum(c.before.data))
		if err := t.put(name, entry{exists: true, mode: 0o600, data: c.before.data}); err != nil {
			return fmt.Errorf("backing up %s: %w", c.Path, err)
		}
	}
	return nil
}

// make makes the changes, and unmakes them where one fails.
func (t *Tree) make(changes []Change) error {
	for i, c := range changes {
		err := t.put(c.Path, c.after)
		if err == nil {
			continue
		}
		for _, done := range slices.Backward(changes[:i]) {
			if undo := t.put(done.Path, done.before); undo != nil {
				err = errors.Join(err, fmt.Errorf("taking back %s: %w", done.Path, undo))
			}
		}
		return fmt.Errorf("%w; what was changed before it was taken back", err)
	}
	return nil
}

// put makes the path what the entry says. A file is there whole or not at all,
// also after a power cut.
func (t *Tree) put(name string, e entry) error {
	var err error
	switch {
	case !e.exists:
		err = t.root.Remove(in(name))
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
	case e.mode.IsDir():
		err = t.root.MkdirAll(in(name), e.mode.Perm())
	case e.mode.Type() == fs.ModeSymlink:
		err = t.replace(name, func(fresh string) error { return t.root.Symlink(e.link, fresh) })
	default:
		err = t.replace(name, func(fresh string) error { return t.write(fresh, e) })
	}
	if err != nil {
		return fmt.Errorf("writing %s: %w", name, cause(err))
	}
	return t.sync(path.Dir(name))
}

func (t *Tree) replace(name string, fill func(fresh string) error) error {
	fresh := in(name + ".phigate-new")
	if err := t.root.Remove(fresh); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	err := fill(fresh)
	if err == nil {
		err = t.root.Rename(fresh, in(name))
	}
	if err != nil {
		_ = t.root.Remove(fresh) // it may not have come to be
	}
	return err
}

func (t *Tree) write(fresh string, e entry) error {
	f, err := t.root.OpenFile(fresh, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(e.data)
	if err == nil && os.Geteuid() == 0 {
		err = f.Chown(e.uid, e.gid)
	}
	if err == nil {
		err = f.Chmod(e.mode.Perm()) // behind chown, which takes bits away, and whatever umask says
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

func (t *Tree) sync(folder string) error {
	f, err := t.root.Open(in(folder))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("opening %s: %w", folder, cause(err))
	}
	defer f.Close()
	if err := f.Sync(); err != nil {
		return fmt.Errorf("writing %s: %w", folder, cause(err))
	}
	return nil
}

package install

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// Removal is how a node is put back, in two steps. The first is Release:
// containerd and docker do without phigate from their next start on. Only when
// that has happened, Rest may go: until then they refuse containers without it.
type Removal struct {
	Release, Rest Plan
	// Requires says that containerd's configuration, as it is, makes it refuse
	// containers without phigated.
	Requires bool
	// Wrapped says that a runtime's path leads through the wrapper.
	Wrapped bool
	// Released is when the first step was done, in an earlier run.
	Released *Moment
	// Known is false for a node that install has not touched.
	Known bool
}

// Uninstall plans how to put back what install has changed. It refuses where
// that would leave a node on which containerd requires a phigate that is gone.
func Uninstall(t *Tree) (*Removal, error) {
	m, err := readManifest(t)
	if err != nil {
		return nil, err
	}
	r := &Removal{Released: m.Released, Known: len(m.Entries) > 0}
	for _, s := range slices.Backward(m.Entries) {
		plan := &r.Rest
		if releases(s.Path) {
			plan = &r.Release
		}
		if err := t.back(plan, s); err != nil {
			return nil, err
		}
		r.Wrapped = r.Wrapped || path.Base(s.Path) == WrapperDropIn && t.Exists(s.Path)
	}
	return r, t.judge(r)
}

// releases says whether a path binds containerd or docker to phigate.
func releases(name string) bool {
	return strings.HasPrefix(name, "/etc/containerd/") || strings.HasPrefix(name, WrapperFolder) || path.Base(name) == WrapperDropIn
}

// back plans how one path becomes what it was.
func (t *Tree) back(p *Plan, s saved) error {
	now, err := t.look(s.Path)
	if err != nil {
		return err
	}
	before, err := t.original(s)
	if err != nil {
		return err
	}
	switch {
	case now.same(before):
	case now.mode.IsDir(): // goes when it is empty, see Tidy
	case !s.Installed.like(now):
		p.Kept = append(p.Kept, s.Path)
	default:
		p.Changes = append(p.Changes, Change{Path: s.Path, Why: "as it was before phigate install", before: now, after: before})
	}
	return nil
}

// judge refuses a removal after which containerd would still require phigate.
func (t *Tree) judge(r *Removal) error {
	now, err := ReadContainerd(t)
	if err != nil {
		return err
	}
	name, err := (&planner{tree: t}).registersAs()
	if err != nil {
		return err
	}
	r.Requires = now.Requires(name)
	instead := map[string][]byte{}
	for _, c := range r.Release.Changes {
		instead[c.Path] = c.after.data // nil: gone
	}
	then, err := readContainerd(t, instead)
	if err != nil {
		return err
	}
	if then.Requires(name) {
		return fmt.Errorf("%s requires the plugin %s and is not (any more) what phigate install wrote: without phigated no pod of this node would start. "+
			"Take %s out of its required_plugins, then uninstall again; nothing was changed", then.requirer(name), name, name)
	}
	return nil
}

// Release applies the first step, and takes down when, where containerd required phigate until now.
func (t *Tree) Release(r *Removal, now Moment) error {
	if err := t.undo(&r.Release); err != nil {
		return err
	}
	m, err := readManifest(t)
	if err != nil || !r.Requires {
		return err
	}
	m.Released = &now
	return t.writeManifest(m)
}

// Remove applies the second step, and then lets go of the backup, but for what
// belongs to files that were kept, and of empty folders. The decision log stays:
// it is a record that may have to be kept for years.
func (t *Tree) Remove(r *Removal) error {
	if err := t.undo(&r.Rest); err != nil {
		return err
	}
	m, err := readManifest(t)
	if err != nil {
		return err
	}
	kept := append(slices.Clone(r.Release.Kept), r.Rest.Kept...)
	var folders []saved
	m.Entries = slices.DeleteFunc(m.Entries, func(s saved) bool {
		if s.Installed.Mode.IsDir() && !s.Before.Exists {
			folders = append(folders, s)
		}
		return !slices.Contains(kept, s.Path)
	})
	m.Released = nil
	if len(m.Entries) > 0 {
		if err := t.writeManifest(m); err != nil {
			return err
		}
	} else if err := t.root.RemoveAll(in(Backup)); err != nil {
		return fmt.Errorf("removing the backup: %w", cause(err))
	}
	for _, s := range slices.Backward(folders) {
		_ = t.root.Remove(in(s.Path)) // one that holds something stays
	}
	return nil
}

func (t *Tree) undo(p *Plan) error {
	if err := t.unchanged(p.Changes); err != nil {
		return err
	}
	return t.make(p.Changes)
}

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
	// Wrapped says that a unit of ours leads to the wrapper, so that systemd has to read its units again.
	Wrapped bool
	// Restart are the clients that go on to refuse containers without phigated until they are started anew.
	Restart []string
	// Released is when the first step was done, in an earlier run.
	Released *Moment
	// Known is false for a node that install has not touched.
	Known bool

	then *Tree // as the first step leaves it
}

// Binds says whether a process with this PATH would still start the wrapper.
func (r *Removal) Binds(search string) bool { return r.then.Wrapped(r.then.Which("runc", search)) }

// Uninstall plans how to put back what install has changed. It refuses where
// that would leave a node on which containerd requires a phigate that is gone.
func Uninstall(t *Tree) (*Removal, error) {
	m, err := readManifest(t)
	if err != nil {
		return nil, err
	}
	r := &Removal{Released: m.Released, Restart: m.Restart, Known: len(m.Entries) > 0}
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
	return strings.HasPrefix(name, "/etc/containerd/") || strings.HasPrefix(name, WrapperFolder) || path.Base(name) == WrapperDropIn || name == DockerConfig || path.Base(name) == verifierName
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

// judge refuses a removal after which something would still need phigated: containerd's configuration, or a wrapper or
// hook that somebody has put in by hand.
func (t *Tree) judge(r *Removal) error {
	now, err := ReadContainerd(t)
	if err != nil {
		return err
	}
	own, err := t.config()
	if err != nil {
		return err
	}
	name := own.NRI.Name
	r.Requires = now.Requires(name)
	r.then = t.after(r.Release.Changes)
	then, err := ReadContainerd(r.then)
	if err != nil {
		return err
	}
	if then.Requires(name) {
		return fmt.Errorf("%s requires the plugin %s and is not (any more) what phigate install wrote: without phigated no pod of this node would start. "+
			"Take %s out of its required_plugins, then uninstall again; nothing was changed", then.requirer(name), name, name)
	}
	if still := r.then.bound(then); r.Known && len(still) > 0 {
		return fmt.Errorf("without phigated every container would be refused, since phigate install did not put this in, or it was edited since:\n%s\n"+
			"then restart what it is for and uninstall again; nothing was changed", strings.Join(still, "\n"))
	}
	r.restarts(t, now)
	return nil
}

// restarts notes who has read, by its configuration, what the first step takes away.
func (r *Removal) restarts(t *Tree, now *Containerd) {
	add := func(unit string) {
		if !slices.Contains(r.Restart, unit) {
			r.Restart = append(r.Restart, unit)
		}
	}
	for _, binary := range now.BinaryNames() {
		if t.Wrapped(binary) {
			add("containerd")
		}
	}
	if r.Requires {
		add("containerd")
	}
	for _, c := range r.Release.Changes {
		if c.Path == DockerConfig {
			add("docker")
		}
	}
}

// Release applies the first step, and takes down when, where somebody needed phigate until now.
func (t *Tree) Release(r *Removal, now Moment) error {
	if err := t.undo(&r.Release); err != nil {
		return err
	}
	m, err := readManifest(t)
	if err != nil || len(r.Release.Changes) == 0 || len(r.Restart) == 0 {
		return err
	}
	m.Released, m.Restart = &now, r.Restart
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
	m.Released, m.Restart = nil, nil
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

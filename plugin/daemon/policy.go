package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/phigate/phigate/plugin/ask"
	"github.com/phigate/phigate/plugin/conf"
	"github.com/phigate/phigate/plugin/engine"
	"github.com/phigate/phigate/plugin/inspect"
	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/config"
)

// policies keeps the policy in force up to date with the operator's files. A
// policy that does not compile never replaces one that did.
type policies struct {
	paths    []string
	lastGood string
	engine   *engine.Engine
	note     func(kind, message string)
	log      *slog.Logger
	changed  func() // called when another policy is in force; may be nil

	mu  sync.Mutex
	now ask.PolicyStatus
}

// load reads the files and puts them in force. What is broken is reported, and
// what was in force stays; at the start that is the last good policy that was
// kept, and without one nothing is in force and nothing is admitted.
func (p *policies) load() {
	p.mu.Lock()
	defer p.mu.Unlock()
	files, err := conf.ReadPolicies(p.paths)
	if err == nil {
		err = p.enforce(files)
	}
	if err == nil {
		return
	}
	first := p.now.Digest == "" && p.now.Error == ""
	if said := p.now.Error; said != err.Error() {
		p.now.Error = err.Error()
		p.log.Error("the policy files are not in force: they cannot be loaded", "error", err, "inForce", p.now.Digest)
		p.note("policy-rejected", policy.Printable("the policy files cannot be loaded: "+firstLine(err.Error())))
	}
	if first {
		p.begin()
	}
}

// begin puts the kept policy in force at the start.
func (p *policies) begin() {
	files, err := readLastGood(p.lastGood)
	if err == nil {
		err = p.compile(files)
	}
	if err != nil {
		p.log.Error("there is no earlier policy to begin with: nothing is admitted until the policy files are mended", "error", err)
		return
	}
	p.now.LastGood = true
	p.log.Error("beginning with the last policy that could be loaded, since the files cannot be", "inForce", p.now.Digest)
	p.note("policy-loaded", "the last good policy is in force, since the policy files cannot be loaded")
}

// enforce compiles the files, puts them in force and keeps them.
func (p *policies) enforce(files []config.File) error {
	before := p.now
	if err := p.compile(files); err != nil {
		return err
	}
	p.now.LastGood, p.now.Error = false, ""
	if err := writeLastGood(p.lastGood, files); err != nil {
		p.log.Error("keeping the policy for the next start", "error", err)
	}
	if before.Digest != p.now.Digest || before.LastGood || before.Error != "" {
		p.log.Info("policy in force", "policy", p.now.Digest, "before", before.Digest, "documents", len(p.now.Names))
		p.note("policy-loaded", fmt.Sprintf("policy %s is in force; before: %s", p.now.Digest, orNone(before.Digest)))
	}
	return nil
}

func (p *policies) compile(files []config.File) error {
	compiled, problems := config.Compile(files, inspect.Catalogue())
	if compiled == nil {
		return config.Problems(problems.Errors())
	}
	if compiled.Digest == p.now.Digest {
		return nil
	}
	for _, problem := range problems {
		p.log.Warn("policy", "warning", problem.Error())
	}
	p.engine.SetPolicy(compiled)
	if p.changed != nil {
		p.changed()
	}
	p.now.Digest, p.now.Names = compiled.Digest, names(compiled)
	return nil
}

func names(p *policy.Policy) []string {
	out := []string{}
	for _, d := range p.Documents {
		out = append(out, policy.Printable(d.Name))
	}
	return out
}

func (p *policies) status() ask.PolicyStatus {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.now
}

// settle is how long files must be quiet before they are read: editors and
// configuration managers write in several steps.
const settle = 200 * time.Millisecond

// rewatch is how often folders that could not be watched are tried again, and
// read in any case.
const rewatch = 5 * time.Second

// watch loads the policy again on SIGHUP and when a file changes. It watches
// folders, so that a file that is replaced by renaming is seen.
func (p *policies) watch(ctx context.Context, hangup <-chan os.Signal) {
	for ctx.Err() == nil {
		p.watchOnce(ctx, hangup)
	}
}

// watchOnce watches until ctx ends or, where something cannot be watched, for a
// while.
func (p *policies) watchOnce(ctx context.Context, hangup <-chan os.Signal) {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		w = &fsnotify.Watcher{} // nothing is heard of it
	} else {
		defer w.Close()
		err = p.addFolders(w)
	}
	var again <-chan time.Time
	if err != nil {
		again = time.After(rewatch)
	}
	settled := time.NewTimer(settle) // what changed before the watch began is not missed
	defer settled.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-again:
			p.load()
			return
		case <-hangup:
			p.load()
		case <-settled.C:
			p.load()
		case <-w.Events:
			settled.Reset(settle)
		case err := <-w.Errors:
			p.log.Warn("watching policy files", "error", err)
			settled.Reset(settle) // events may have been lost
		}
	}
}

func (p *policies) addFolders(w *fsnotify.Watcher) error {
	var errs []error
	for _, path := range p.paths {
		folder := path
		if info, err := os.Stat(path); err != nil || !info.IsDir() {
			folder = filepath.Dir(path)
		}
		if err := w.Add(folder); err != nil {
			errs = append(errs, fmt.Errorf("watching %s: %w", folder, err))
		}
	}
	return errors.Join(errs...)
}

// readLastGood and writeLastGood keep the sources, not what they compile to: a
// newer phigated may compile them better.
func readLastGood(path string) ([]config.File, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errors.New("none was kept")
	}
	if err != nil {
		return nil, err
	}
	var files []config.File
	if err := json.Unmarshal(data, &files); err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	return files, nil
}

func writeLastGood(path string, files []config.File) error {
	data, err := json.Marshal(files)
	if err != nil {
		return err
	}
	return writeFile(path, data)
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

func firstLine(s string) string {
	for i, r := range s {
		if r == '\n' {
			return s[:i]
		}
	}
	return s
}

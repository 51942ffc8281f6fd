package audit

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/phigate/phigate/policy"
)

// Archive is where full segments go before they are removed from the node.
type Archive struct {
	// Folder is one that segments are copied to; "" is none.
	Folder string
	// Command is run with the path of a segment behind its arguments, and ends
	// with 0 once that is safe elsewhere; none where it is empty.
	Command []string
	// Keep is how long segments stay here. 0 is for ever.
	Keep time.Duration
}

// archivedSuffix names the file that says that a segment is archived.
const archivedSuffix = ".archived"

// commandWithin bounds one run of the archive's command.
const commandWithin = 10 * time.Minute

// maxSegmentAge is how old the first record of a segment may become before
// another is begun, where there is an archive: a quiet node's log leaves it too.
const maxSegmentAge = 24 * time.Hour

// archived says what was archived, and when.
type archived struct {
	Time   time.Time `json:"time"`
	Size   int64     `json:"size"`
	SHA256 string    `json:"sha256"`
}

// Archive copies the full segments that are not archived yet, the oldest first,
// and removes those that are and whose last record is older than is to be kept.
// What is not archived is never removed. It stops at the first error; the next
// call goes on from there.
func (l *Log) Archive(ctx context.Context, a Archive) error {
	if a.Folder == "" && len(a.Command) == 0 {
		return nil
	}
	firsts, err := listSegments(os.DirFS(l.dir), l.dir)
	if err != nil {
		return err
	}
	l.mu.Lock()
	current := l.segment
	l.mu.Unlock()
	for i, first := range firsts {
		if first >= current || i+1 == len(firsts) {
			break
		}
		if err := l.archiveOne(ctx, a, segmentName(first)); err != nil {
			return fmt.Errorf("archiving the log's segment %s: %w", segmentName(first), err)
		}
		if err := l.prune(ctx, a, first, firsts[i+1]-1); err != nil {
			return fmt.Errorf("removing the log's segment %s: %w", segmentName(first), err)
		}
	}
	if len(firsts) > 0 {
		l.age(current)
	}
	return nil
}

func (l *Log) archiveOne(ctx context.Context, a Archive, name string) error {
	if _, err := os.Lstat(filepath.Join(l.dir, name+archivedSuffix)); err == nil {
		return nil
	}
	digest, size, err := digestOf(filepath.Join(l.dir, name))
	if err != nil {
		return err
	}
	if a.Folder != "" {
		if err := copyInto(a.Folder, l.dir, name, digest); err != nil {
			return err
		}
		for _, also := range []string{verifierName, checkpointName, witnessedName} { // what it is verified by
			if err := copyInto(a.Folder, l.dir, also, ""); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	if err := runArchiver(ctx, a.Command, filepath.Join(l.dir, name)); err != nil {
		return err
	}
	text, err := json.Marshal(archived{Time: l.now().UTC(), Size: size, SHA256: digest})
	if err != nil {
		return err
	}
	return writeWhole(l.disk, name+archivedSuffix, append(text, '\n'))
}

// copyInto copies a file durably, under a name of its log's own, and reads it
// back where a digest is given.
func copyInto(to, dir, name, digest string) error {
	in, err := os.Open(filepath.Join(dir, name))
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.CreateTemp(to, name+".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(out.Name()) //nolint:errcheck // renamed by then, if all went well
	_, err = io.Copy(out, in)
	if err = errors.Join(err, out.Chmod(0o600), out.Sync(), out.Close()); err != nil {
		return err
	}
	if digest != "" {
		if got, _, err := digestOf(out.Name()); err != nil || got != digest {
			return errors.Join(errors.New("the copy is not what was copied"), err)
		}
	}
	return errors.Join(os.Rename(out.Name(), filepath.Join(to, name)), folder(to).sync())
}

func digestOf(path string) (digest string, size int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return "", 0, err
	}
	defer f.Close()
	sum := sha256.New()
	size, err = io.Copy(sum, f)
	return hex.EncodeToString(sum.Sum(nil)), size, err
}

// runArchiver runs the command, if there is one. What it prints is shown when it fails.
func runArchiver(ctx context.Context, command []string, path string) error {
	if len(command) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, commandWithin)
	defer cancel()
	cmd := exec.CommandContext(ctx, command[0], append(append([]string{}, command[1:]...), path)...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", command[0], err, policy.Printable(string(out)))
	}
	return nil
}

// prune removes an archived segment whose last record is old enough. That it was
// here, and what it was, is recorded before.
func (l *Log) prune(ctx context.Context, a Archive, first, last uint64) error {
	if a.Keep == 0 {
		return nil
	}
	name := segmentName(first)
	text, err := os.ReadFile(filepath.Join(l.dir, name+archivedSuffix))
	if err != nil {
		return err
	}
	var was archived
	if err := json.Unmarshal(text, &was); err != nil {
		return fmt.Errorf("%s does not say that it is archived: remove that file to have it archived again", name+archivedSuffix)
	}
	info, err := os.Stat(filepath.Join(l.dir, name))
	if err != nil {
		return err
	}
	if l.now().Sub(info.ModTime()) < a.Keep || l.now().Sub(was.Time) < 0 {
		return nil
	}
	_, err = l.Record(ctx, &policy.Decision{
		Kind: "log-pruned", Target: "phigated",
		Message:  fmt.Sprintf("records %d to %d are removed from the node after %d days; they were archived at %s, %d bytes, sha256:%s", first, last, int(a.Keep.Hours()/24), was.Time.Format(time.RFC3339), was.Size, was.SHA256),
		Findings: []policy.Record{}, Skipped: []policy.SkipEntry{},
	})
	if err != nil {
		return err
	}
	err = errors.Join(os.Remove(filepath.Join(l.dir, name)), os.Remove(filepath.Join(l.dir, name+archivedSuffix)), l.disk.sync())
	l.measure()
	return err
}

// age has another segment begun when the present one is a day old.
func (l *Log) age(current uint64) {
	began := time.Time{}
	stop := errors.New("stop")
	r := reader{fsys: os.DirFS(l.dir), dir: l.dir, from: current}
	err := r.read(context.Background(), decoded(func(e Entry) error { began = e.Decision.Time; return stop }))
	if errors.Is(err, stop) && l.now().Sub(began) > maxSegmentAge {
		l.rotateSoon.Store(true)
	}
}

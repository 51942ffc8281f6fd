package audit

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// The kinds of damage that Verify names.
const (
	Damaged   = "damaged"   // bytes that are no record, or a checksum that is not theirs
	Altered   = "altered"   // records that are not those that were written: a mac or a root is another
	Missing   = "missing"   // records that are not there, in the middle
	Truncated = "truncated" // records that are not there, at the end
	Disorder  = "disorder"  // a record where another one belongs
	Foreign   = "foreign"   // of another log, or of another format
	Unsigned  = "unsigned"  // a checkpoint that the log's key, or a witness, did not sign
)

// Problem is something in a log that is not as it was written.
type Problem struct {
	Seq    uint64 `json:"seq"` // the first record that is affected; 0: none can be named
	Kind   string `json:"kind"`
	File   string `json:"file"`
	Offset int64  `json:"offset,omitempty"`
	Text   string `json:"text"`
	// UpTo is the last record that may be the one that is affected; 0: it is Seq.
	UpTo uint64 `json:"upTo,omitempty"`
}

// VerifyOptions are what a log is held against, besides itself.
type VerifyOptions struct {
	// Keys are first keys of the log's macs: K0, and one for each time that
	// another began. Without them macs are not checked.
	Keys []FirstKey
	// Verifier is the log's verifier key, as sumdb/note writes it; "" takes the
	// one that lies in the folder.
	Verifier string
	// Checkpoints are signed notes, from witnesses, files, the journal.
	Checkpoints []NamedNote
	// Witnesses are verifiers of cosignatures. Each checkpoint that is given must
	// have one of each.
	Witnesses []note.Verifier
	// Whole wants the log from its first record on: none may be archived elsewhere.
	Whole bool
	// Workers is how many records are looked at at once; 0 is two.
	Workers int
}

// NamedNote is a signed note and where it comes from.
type NamedNote struct {
	From string
	Note []byte
}

// Verified is what Verify found.
type Verified struct {
	Log      string `json:"log"`
	First    uint64 `json:"first"` // the first record that is there
	Last     uint64 `json:"last"`
	Records  uint64 `json:"records"` // that were checked and are whole
	Segments int    `json:"segments"`
	Root     string `json:"root"` // of the tree of all records up to Last
	// Macs is how many records had their mac checked.
	Macs        uint64              `json:"macs"`
	Checkpoints []CheckedCheckpoint `json:"checkpoints"`
	// Proven is the last record that a good checkpoint covers.
	Proven   uint64    `json:"proven"`
	Problems []Problem `json:"problems"`
	Notes    []string  `json:"notes"` // what could not be checked, and why
}

// OK says that nothing was found that is not as it was written.
func (v *Verified) OK() bool { return len(v.Problems) == 0 }

// CheckedCheckpoint is a checkpoint and what came of it.
type CheckedCheckpoint struct {
	From      string   `json:"from"`
	Size      uint64   `json:"size"`
	OK        bool     `json:"ok"`
	Witnesses []string `json:"witnesses,omitempty"` // whose cosignatures are good

	root tlog.Hash
}

// maxProblems bounds the list: the first matters, and a log of noise must not
// fill the memory.
const maxProblems = 100

// Verify reads the log in the folder dir, alone and without changing anything,
// and says what in it is not as phigated wrote it: structure, numbers, macs (with
// the keys), and the tree against each checkpoint. It reads in bounded memory,
// and another process may be writing the log. An error is one of reading it; what
// is wrong with the log is in the answer.
func Verify(ctx context.Context, dir string, options VerifyOptions) (*Verified, error) {
	return verify(ctx, os.DirFS(dir), dir, options)
}

func verify(ctx context.Context, fsys fs.FS, dir string, options VerifyOptions) (*Verified, error) {
	v := &verification{
		Verified: Verified{Problems: []Problem{}, Notes: []string{}, Checkpoints: []CheckedCheckpoint{}},
		fsys:     fsys, dir: dir, options: options,
	}
	names, err := v.list()
	if err != nil {
		return nil, err
	}
	if err := v.readCheckpoints(); err != nil {
		return nil, err
	}
	v.readHead()
	for i, name := range names {
		next := uint64(0)
		if i+1 < len(names) {
			next, _ = segmentFirst(names[i+1])
		}
		if err := v.segment(ctx, name, next); err != nil {
			return nil, err
		}
	}
	v.finish()
	return &v.Verified, nil
}

// verification is a Verify under way.
type verification struct {
	Verified
	fsys    fs.FS
	dir     string
	options VerifyOptions
	head    *head
	started bool
	at      position // behind what was checked
	broken  bool     // the tree so far is not known to be the log's
	keyed   bool     // at.key is the key of at.epoch
}

func (v *verification) problem(p Problem) {
	if len(v.Problems) < maxProblems {
		v.Problems = append(v.Problems, p)
	}
}

func (v *verification) note(format string, args ...any) {
	v.Notes = append(v.Notes, fmt.Sprintf(format, args...))
}

// list names the segments in order. One that was set aside stands in its place.
func (v *verification) list() ([]string, error) {
	entries, err := fs.ReadDir(v.fsys, ".")
	if err != nil {
		return nil, fmt.Errorf("opening decision log %s: %w", v.dir, err)
	}
	byFirst := map[uint64]string{}
	var firsts []uint64
	for _, e := range entries {
		first, ok := segmentFirst(e.Name())
		if !ok || strings.Contains(e.Name(), ".torn-") {
			continue
		}
		if byFirst[first] == "" {
			firsts = append(firsts, first)
		}
		if byFirst[first] == "" || e.Name() == segmentName(first) {
			byFirst[first] = e.Name()
		}
	}
	if len(firsts) == 0 {
		return nil, fmt.Errorf("opening decision log %s: %w", v.dir, fs.ErrNotExist)
	}
	slices.Sort(firsts)
	var names []string
	for _, first := range firsts {
		names = append(names, byFirst[first])
	}
	return names, nil
}

// readHead reads where phigated says that the log ends, if that can be read.
func (v *verification) readHead() {
	data, err := fs.ReadFile(v.fsys, headName)
	if err != nil {
		v.note("there is no readable head: that the last records are there is known from checkpoints alone")
		return
	}
	for ; len(data) >= blockSize; data = data[blockSize:] {
		var h head
		if readBlock(data[:blockSize], &h) == nil && h.Format == headFormat && (v.head == nil || h.Generation > v.head.Generation) {
			v.head = &h
		}
	}
	if v.head == nil {
		v.problem(Problem{Kind: Damaged, File: headName, Text: "neither of its two places can be read"})
	}
}

// readCheckpoints opens the notes that were given and the one in the folder.
func (v *verification) readCheckpoints() error {
	verifier := v.options.Verifier
	if verifier == "" {
		data, err := fs.ReadFile(v.fsys, verifierName)
		if err == nil {
			verifier = strings.TrimSpace(string(data))
			v.note("the verifier key was taken from the log's own folder: whoever changed the log could have changed it; give yours with --key")
		}
	}
	notes := v.options.Checkpoints
	for _, name := range []string{checkpointName, witnessedName} {
		if data, err := fs.ReadFile(v.fsys, name); err == nil {
			notes = append(slices.Clone(notes), NamedNote{From: filepath.Join(v.dir, name), Note: data})
		}
	}
	if verifier == "" {
		if len(notes) > 0 {
			v.problem(Problem{Kind: Unsigned, File: notes[0].From, Text: "there is no verifier key to check checkpoints with: give one with --key"})
		}
		return nil
	}
	own, err := note.NewVerifier(verifier)
	if err != nil {
		return fmt.Errorf("reading the verifier key: %w", err)
	}
	v.Log = own.Name()
	for i, n := range notes {
		given := i < len(v.options.Checkpoints)
		switch err := v.readCheckpoint(n, own, given); {
		case err != nil && given:
			v.problem(Problem{Kind: Unsigned, File: n.From, Text: err.Error()})
		case err != nil: // it is not synced, and nobody relies on it
			v.note("the log's own copy in %s is no good checkpoint: %v", n.From, err)
		}
	}
	slices.SortStableFunc(v.Checkpoints, func(a, b CheckedCheckpoint) int { return int(int64(a.Size) - int64(b.Size)) })
	return nil
}

func (v *verification) readCheckpoint(n NamedNote, own note.Verifier, given bool) error {
	c, opened, err := OpenCheckpoint(n.Note, own, v.options.Witnesses...)
	if err != nil {
		return err
	}
	checked := CheckedCheckpoint{From: n.From, Size: c.Size, root: c.Root}
	for _, w := range v.options.Witnesses {
		if slices.ContainsFunc(opened.Sigs, func(s note.Signature) bool { return s.Name == w.Name() && s.Hash == w.KeyHash() }) {
			checked.Witnesses = append(checked.Witnesses, w.Name())
		} else if given {
			return fmt.Errorf("the checkpoint of %d records has no good cosignature of %s", c.Size, w.Name())
		}
	}
	v.Checkpoints = append(v.Checkpoints, checked)
	return nil
}

// finish judges what the whole log shows.
func (v *verification) finish() {
	v.Last, v.Root = v.at.seq(), v.at.tree.root().String()
	if v.head != nil && v.head.Seq > v.Last {
		v.problem(Problem{Seq: v.Last + 1, Kind: Truncated, File: headName, Text: fmt.Sprintf("the log ends at record %d, and %d were durable", v.Last, v.head.Seq)})
	}
	for i := range v.Checkpoints {
		c := &v.Checkpoints[i]
		switch {
		case c.OK:
			v.Proven = max(v.Proven, c.Size)
		case c.Size > v.Last:
			v.problem(Problem{Seq: v.Last + 1, Kind: Truncated, File: c.From, Text: fmt.Sprintf("the log ends at record %d, and the checkpoint covers %d", v.Last, c.Size)})
		case c.Size+1 < v.First:
			v.note("the checkpoint %s covers %d records, of which the last ones that are here begin with %d: it needs the archived segments", c.From, c.Size, v.First)
		}
	}
	if v.Macs < v.Records {
		v.note("the macs of %d records were not checked: give the log's first key with --k0", v.Records-v.Macs)
	}
	v.narrow()
	slices.SortStableFunc(v.Problems, func(a, b Problem) int { return int(int64(a.Seq) - int64(b.Seq)) })
}

// narrow names the record of a checkpoint that does not hold, where something
// else tells which one it is.
func (v *verification) narrow() {
	for i := range v.Problems {
		p := &v.Problems[i]
		exact := uint64(0)
		for _, q := range v.Problems {
			if q.UpTo == 0 && q.Seq >= p.Seq && q.Seq <= p.UpTo && (exact == 0 || q.Seq < exact) {
				exact = q.Seq
			}
		}
		if exact != 0 {
			p.Seq, p.UpTo = exact, 0
		}
	}
}

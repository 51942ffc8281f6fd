// Package detect finds protected health information, personal data and secrets
// in the bytes of files and in the rows of tables. It knows no file system: the
// caller walks, opens and reads, and fills a [Scan] with each file's bytes.
// Detectors use the standard library alone.
//
// A [Detector] is a value with its documentation inside. A [Set] runs many of
// them in one pass: a prefilter looks for the anchors of all at once, and a
// detector's own code runs only near a hit. What a detector finds it gives to
// its [Sink] as a [Record], which is scored in one place: who is identified,
// and whether health is spoken of.
package detect

import "github.com/phigate/phigate/policy"

// Version names this set of detectors. Facts that were gathered by another
// version are gathered again; raise it with every change of what is found.
const Version = "6"

// Detector is a check on a file's name, its bytes or the rows of a table. One
// of Open, Near, Table and Name is set at least.
type Detector struct {
	policy.Info
	// Anchors are expressions of package prefilter: near a match there may be
	// something to find. They should be rare in ordinary files.
	Anchors []string
	// Eager with Anchors: Open is asked at each file's beginning, too.
	Eager bool
	// Open says whether the file is of interest and returns the state that will
	// read it; nil: not of interest. It is asked at the file's beginning where
	// there are no anchors, else at each match while no reader is awake.
	Open func(m Meta, s *Sink) Reader
	// Near is called for each match, in order.
	Near func(h Hit, s *Sink)
	// Table says whether a table is of interest, by its name and columns.
	Table func(m TableMeta, s *Sink) RowReader
	// Database with Table: it is asked for what reads the tables of one file, which
	// may speak of the same people, and takes Table's place for them.
	Database func(path string) Database
	// Name judges a name, of files and of all else, and says what is wrong with it;
	// empty: nothing. It is asked for each name of a tree, not within containers.
	Name func(e Entry) string
	// Many is the rule under which PHI is reported, instead of the detector's own,
	// where one file is about ManyFrom people or more; ManyFrom 0: there is none.
	Many     policy.Info
	ManyFrom int
}

// Meta is what is known of a file when a detector is asked.
type Meta struct {
	Path string // absolute within the root, raw bytes; "/opt/a.zip!b.csv" within a container
	Size int64  // bytes; -1: not known, within a container
	Head []byte // the first bytes, at most HeadBytes; valid during the call only
	Hit  *Hit   // the match that asks; nil at the file's beginning
}

// HeadBytes is how much of a file's beginning detectors see in Meta.
const HeadBytes = 4096

// Hit is a match of an anchor, with what stands around it: NearBefore bytes
// before and NearAfter after it, less at the file's ends. There a line end
// stands that the file may not have, so that an anchor can ask for it.
type Hit struct {
	Meta   *Meta
	Anchor int    // index into the detector's Anchors
	Off    int64  // where the match begins; -1: at the line end before the file
	Text   []byte // valid during the call only
	At     int    // the match is Text[At:End]
	End    int
}

// How much a detector sees before and after a match.
const (
	NearBefore = 1024
	NearAfter  = 2048
)

// Reader reads one file, window by window, in order. It must hold no more than
// a fixed amount of memory however long the file or a line of it is.
type Reader interface {
	// Window takes the next bytes. Data is valid during the call only. A gap
	// between windows (Off greater than the end of the last) is a hole of a
	// sparse file or what passed while the reader slept. No byte comes twice.
	Window(w Window)
	// Close is called once, after the last window.
	Close()
}

// Idler is a Reader of a detector with anchors that can sleep: it is asked after
// each window, and true lets it sleep until the next match. A reader that is
// opened or woken by a match gets the bytes from some way before it on, as far
// as they are still held: at least 2 KiB.
type Idler interface{ Idle() bool }

// Window is a piece of a file.
type Window struct {
	Off  int64 // offset of Data[0] in the file
	Data []byte
}

// Beginning says whether reading began with the file and went on without a gap:
// else nobody knows in what it is. The zero value has read nothing.
type Beginning struct {
	begun, known bool
	next         int64
}

// Note takes the next window.
func (b *Beginning) Note(w Window) {
	b.known = w.Off == b.next && (b.known || !b.begun)
	b.begun, b.next = true, w.Off+int64(len(w.Data))
}

// Known is the answer, up to the last window.
func (b *Beginning) Known() bool { return b.known }

// TableMeta is what is known of a table with rows: of a database, a sheet.
type TableMeta struct {
	Path    string   // "/srv/a.db!patients"
	Columns []string // empty: not known, the first row may be a header
}

// Database reads the tables of one file, one after the other, in bounded memory.
type Database interface {
	// Table is what Detector.Table is.
	Table(m TableMeta, s *Sink) RowReader
	// Close reports what the tables say together and none of them says alone.
	Close(s *Sink)
}

// RowReader reads one table, in bounded memory.
type RowReader interface {
	// Row takes the next row, counted from 0; the cells are valid during the call
	// only. False: no more are wanted.
	Row(n int64, cells [][]byte) bool
	Close()
}

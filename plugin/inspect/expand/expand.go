// Package expand opens containers: archives, compressed files, databases and
// documents. What is inside goes to a [Visitor] as nested files and tables.
// Everything that it reads is hostile: each expansion has bounds on depth,
// bytes, ratio, time and memory, and a parser that crashes costs its file alone.
//
// Paths are those of the tree with an exclamation mark at each container's
// border: "/opt/a.tar.gz!data/b.csv". What stands behind the first mark is text
// from the container, not cleaned: it may hold "..", NUL or newlines.
package expand

import (
	"context"
	"io"
	"time"
)

// Kind is a container format that is recognised.
type Kind uint8

// None is no container: the bytes are a leaf. The kinds of documents are in documents.go.
const (
	None Kind = iota
	Gzip
	Zstd
	Xz
	Lzma
	Bzip2
	Snappy
	Tar
	Zip
	Deb
	Cpio
	RPM
	SevenZip
	RAR
	Cabinet
	Lz4
	Lzip
	Lzop
	Compress
	Xar
	Squashfs
	Age
	PGP
	OpenSSL
	LUKS

	firstDocument Kind = 64
)

// HeadBytes is how much of a file's beginning [KindOf] wants to see.
const HeadBytes = 4096

// KindOf tells the kind from a file's first bytes, up to [HeadBytes] of them. It
// asks the bytes first; the path decides where they leave a choice.
func KindOf(path string, head []byte, size int64) Kind {
	return known.kindOf(path, head)
}

// String names the kind in words: "gzip stream", "SQLite database".
func (k Kind) String() string {
	if f := known.of(k); f != nil {
		return f.name
	}
	return "file"
}

// Raw says that the bytes are worth scanning as they are, too. [Expander.Expand]
// leaves that to its caller, [Expander.Stream] does it.
func (k Kind) Raw() bool {
	f := known.of(k)
	return f != nil && f.raw
}

// Random says that the kind is opened by reading back and forth. Of a source
// that cannot do so, [Expander.Stream] makes a copy.
func (k Kind) Random() bool {
	f := known.of(k)
	return f != nil && f.random
}

// Limits bound what is opened below one file of the tree.
type Limits struct {
	Depth   int           // containers in containers; a compressed tar or cpio archive is one
	Entries int64         // nested files and tables
	Ratio   int64         // inflated bytes per compressed byte, counted after the first 1 MiB
	Bytes   int64         // inflated bytes in all
	Time    time.Duration // processor time of the goroutine, the visitor's included
	Wall    time.Duration // on the wall: for what waits and does not work, such as a file of a server that is slow
	Memory  int64         // of one parser
	Spool   string        // folder for unlinked temporary files; empty: what needs one is skipped
}

// Defaults are the limits of PHI.md. They have no Spool.
func Defaults() Limits {
	return Limits{Depth: 4, Entries: 1_000_000, Ratio: 200, Bytes: 16 << 30, Time: 2 * time.Minute, Wall: time.Hour, Memory: 48 << 20}
}

// Visitor takes what is inside, in order. Its methods are called from one
// goroutine. An error of File ends the expansion and is returned.
type Visitor interface {
	// File is a nested leaf; size is -1 when not known, and is only claimed by
	// the container. r is valid during the call; it need not be read to its end.
	// It gives no error but io.EOF: trouble is told to Skip after the call.
	File(path string, size int64, r io.Reader) error
	// Table is a nested table. columns may be empty when they are not known. nil: not wanted.
	Table(path string, columns []string) Rows
	// Database begins a file with tables that may speak of the same people; end is
	// called after the last of them.
	Database(path string) (end func())
	// Skip says what could not be looked into; reason holds nothing of the content.
	Skip(path, reason string)
	// Held is what the last file or table was found to hold in encodings, to be
	// visited in turn; nil: nothing. The expander closes it.
	Held() *Held
}

// Rows takes the rows of one table.
type Rows interface {
	// Row takes one row; cells are valid during the call. false: no more wanted.
	Row(cells [][]byte) bool
	Close()
}

// Expander opens containers, one at a time, and keeps decoders from one to the
// next. It is for one goroutine.
type Expander struct {
	lim     Limits
	formats formats
	tools   tools
}

// New makes an expander.
func New(lim Limits) *Expander { return &Expander{lim: lim, formats: known} }

// Expand opens the file at path, of the kind, and visits all that is inside,
// recursively: nested containers are opened, leaves go to the visitor. Trouble
// with the content is told to Skip and is no error; what lies before a bound or
// damage has been visited by then. An error is the visitor's, that of ctx, or of
// src itself, which could not be read.
func (e *Expander) Expand(ctx context.Context, kind Kind, path string, src io.ReaderAt, size int64, v Visitor) error {
	x := e.begin(ctx, path, size, v)
	defer x.work.end()
	at := &source{x: x, at: src, size: size}
	_ = x.open(kind, path, input{Reader: io.NewSectionReader(at, 0, size), At: at, Size: size})
	return x.end()
}

// Stream is Expand for a file that can be read forward only, such as one within
// a layer's archive. size is -1 when not known. A raw kind goes to File first,
// under its own path, since r can be read only once.
func (e *Expander) Stream(ctx context.Context, kind Kind, path string, r io.Reader, size int64, v Visitor) error {
	x := e.begin(ctx, path, size, v)
	defer x.work.end()
	_ = x.openStream(kind, path, &source{x: x, stream: r, size: size}, size)
	return x.end()
}

// Expand is [Expander.Expand] for a single file.
func Expand(ctx context.Context, kind Kind, path string, src io.ReaderAt, size int64, lim Limits, v Visitor) error {
	return New(lim).Expand(ctx, kind, path, src, size, v)
}

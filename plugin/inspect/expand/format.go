package expand

import "io"

// format opens one kind.
type format struct {
	kind   Kind
	name   string // "zip archive": what messages call it
	raw    bool   // its bytes go to the visitor as they are, too
	random bool   // open needs input.At; raw implies random
	// magic says whether a file is of the kind; head may be shorter than HeadBytes.
	magic func(path string, head []byte) bool
	// open visits what is inside: through x.file, x.leaf, x.table and x.skip alone, never x.v.
	// An error of these it returns. Any other error is told to Skip for path: a
	// [reason] as it is, others as "damaged <name>", since their text may quote
	// content. A panic is "damaged <name>", too. nil: the kind is not looked into.
	open func(x *expansion, path string, f input) error
	// forward opens a random format that cannot be read at random; nil: it is skipped.
	forward func(x *expansion, path string, r io.Reader) error
}

// input is the bytes of one container.
type input struct {
	io.Reader             // all of them, from the first
	At        io.ReaderAt // for random formats
	Size      int64       // -1 when not known; random formats know it
}

// reason is trouble with content, in our own words: it holds nothing of the content.
type reason string

func (r reason) Error() string { return string(r) }

// known are all kinds, asked in this order. Documents come first: many of them
// are zip archives. What opens a format must ask its [Expander] and not this
// list, which would have to exist before itself.
var known formats = append(documents(), archives()...)

type formats []format

func (all formats) kindOf(path string, head []byte) Kind {
	for i := range all {
		if all[i].magic(path, head) {
			return all[i].kind
		}
	}
	return None
}

// of is the format of a kind, nil without one.
func (all formats) of(k Kind) *format {
	for i := range all {
		if all[i].kind == k {
			return &all[i]
		}
	}
	return nil
}

package detect

import "bytes"

// wholeBytes is how much of a file of settings is read; what people write by
// hand is shorter, and so is Java's java.security with all its comments.
const wholeBytes = 256 << 10

// Whole reads a file of settings and has it parsed when it ends. Of a longer one
// than 256 KiB, or one with holes, the beginning is parsed, and that is said.
func Whole(s *Sink, parse func(content []byte, s *Sink)) Reader {
	return &whole{sink: s, parse: parse}
}

// whole collects the beginning of a file.
type whole struct {
	sink    *Sink
	parse   func(content []byte, s *Sink)
	content []byte
	holed   bool
	more    bool // there is more than was read
}

func (f *whole) Window(w Window) {
	if f.holed = f.holed || w.Off > int64(len(f.content)) && len(f.content) < wholeBytes; f.holed {
		return
	}
	room := wholeBytes - len(f.content)
	f.more = f.more || len(w.Data) > room
	f.content = append(f.content, w.Data[:min(room, len(w.Data))]...)
}

func (f *whole) Close() {
	f.parse(bytes.TrimPrefix(f.content, []byte("\uFEFF")), f.sink)
	if f.more || f.holed {
		f.sink.Skip("file of settings longer than 256 KiB was read up to there")
	}
}

package expand

import (
	"io"
)

// source reads the file of the tree. Its errors are no trouble of the content:
// Expand returns them.
type source struct {
	x      *expansion
	at     io.ReaderAt
	stream io.Reader
	size   int64
}

func (s *source) ReadAt(p []byte, off int64) (int, error) {
	if err := s.x.check(); err != nil {
		return 0, err
	}
	if off < 0 || off >= s.size {
		return 0, io.EOF
	}
	want := min(int64(len(p)), s.size-off)
	n, err := s.at.ReadAt(p[:want], off)
	if err == nil && want < int64(len(p)) {
		err = io.EOF
	}
	return n, s.note(n, err)
}

func (s *source) Read(p []byte) (int, error) {
	if err := s.x.check(); err != nil {
		return 0, err
	}
	n, err := s.stream.Read(p)
	return n, s.note(n, err)
}

func (s *source) note(n int, err error) error {
	s.x.read += int64(n)
	if err != nil && err != io.EOF && s.x.ended == nil {
		s.x.ended = err
	}
	return err
}

// counted counts what is read of a compressed stream.
type counted struct {
	r io.Reader
	n int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// stage is what comes out of a decoder or of an archive's entry. Its errors are
// faults of the path, but for those that end the expansion.
type stage struct {
	x     *expansion
	path  string
	name  string // of the format
	r     io.Reader
	in    *counted // what the decoder reads; nil: nothing is inflated
	begun int64    // of in, when the decoder began
	out   int64
	done  bool // r has ended well
	fault *fault
}

func (s *stage) Read(p []byte) (n int, err error) {
	if s.fault != nil {
		return 0, s.fault
	}
	if s.done {
		return 0, io.EOF
	}
	if err := s.x.check(); err != nil {
		return 0, err
	}
	defer func() {
		if recover() != nil {
			n, err = 0, s.failed("damaged "+s.name)
		}
	}()
	n, err = s.r.Read(p)
	return n, s.account(n, err)
}

// account counts n bytes and makes err a fault.
func (s *stage) account(n int, err error) error {
	s.out += int64(n)
	if s.in != nil {
		if s.x.spend(s.path, int64(n)) != nil {
			return s.x.ended
		}
		if beyond(s.out, s.in.n-s.begun, s.x.lim.Ratio) {
			return s.failed(beyondRatio(s.x.lim.Ratio))
		}
	}
	switch {
	case err == io.EOF:
		s.done = true
	case err == nil:
	case s.x.ended != nil:
		return s.x.ended
	default:
		return s.wrong(err)
	}
	return err
}

// wrong makes an error a fault of this stage, unless it is one of a stage below.
func (s *stage) wrong(err error) error {
	if below := faultOf(err); below != nil {
		s.fault = below
		return below
	}
	return s.failed(inWords(s.name, err))
}

func (s *stage) failed(why string) error {
	s.fault = &fault{path: s.path, reason: why}
	return s.fault
}

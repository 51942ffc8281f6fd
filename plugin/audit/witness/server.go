package witness

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/phigate/phigate/plugin/audit"
)

// Server is a witness. It implements [http.Handler] and may be asked by many at
// once.
type Server struct {
	signer note.Signer
	logs   map[string]note.Verifier // by origin
	dir    string
	log    *slog.Logger
	mu     sync.Mutex // held from the check to the answer
}

// NewServer makes a witness of the logs whose verifier keys are given. It signs
// as signer (C2SP tlog-cosignature), and keeps the last checkpoint of each log in
// the folder dir, made with mode 0700. Two witnesses must not share a folder.
func NewServer(signer note.Signer, logs []note.Verifier, dir string, log *slog.Logger) (*Server, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the witness's folder: %w", err)
	}
	s := &Server{signer: signer, logs: map[string]note.Verifier{}, dir: dir, log: log}
	for _, v := range logs {
		s.logs[v.Name()] = v
		if _, err := s.last(v); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// refusal is an answer other than 200.
type refusal struct {
	code int
	text string
	size uint64 // with 409
}

// ServeHTTP answers add-checkpoint.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != addPath {
		http.NotFound(w, r)
		return
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "POST a checkpoint", http.StatusMethodNotAllowed)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
	if err != nil {
		http.Error(w, "the request is too large or broke off", http.StatusBadRequest)
		return
	}
	signed, refused, err := s.add(body)
	switch {
	case err != nil:
		s.log.Error("witness: cannot keep a checkpoint, so nothing is signed", "error", err)
		http.Error(w, "the witness cannot keep the checkpoint", http.StatusInternalServerError)
	case refused != nil && refused.code == http.StatusConflict:
		w.Header().Set("Content-Type", sizeType)
		w.WriteHeader(refused.code)
		fmt.Fprintf(w, "%d\n", refused.size)
	case refused != nil:
		http.Error(w, refused.text, refused.code)
	default:
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Write(signed) //nolint:errcheck // the client is gone
	}
}

// add checks a request, keeps its checkpoint and signs it.
func (s *Server) add(body []byte) (signed []byte, refused *refusal, err error) {
	req, err := parseRequest(body)
	if err != nil {
		return nil, &refusal{code: http.StatusBadRequest, text: err.Error()}, nil
	}
	v, c, refused := s.open(req.checkpoint)
	if refused != nil {
		return nil, refused, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	last, err := s.last(v)
	if err != nil {
		return nil, nil, err
	}
	if refused := consistent(req, c, last); refused != nil {
		if refused.code != http.StatusConflict || req.old == last.Size {
			s.log.Warn("witness: refused", "log", v.Name(), "signed", last.Size, "old", req.old, "size", c.Size, "why", refused.text)
		}
		return nil, refused, nil
	}
	if c.Size != last.Size || last.Note == nil {
		if err := s.keep(v, req.checkpoint); err != nil {
			return nil, nil, err
		}
	}
	signed, err = s.cosign(req.checkpoint, v)
	return signed, nil, err
}

// open checks that the checkpoint is of a log that is known and signed by it.
func (s *Server) open(signed []byte) (note.Verifier, audit.Checkpoint, *refusal) {
	origin, _, _ := cutLine(signed)
	v, known := s.logs[origin]
	if !known {
		return nil, audit.Checkpoint{}, &refusal{code: http.StatusNotFound, text: "this witness does not know the log"}
	}
	c, _, err := audit.OpenCheckpoint(signed, v)
	var unverified *note.UnverifiedNoteError
	var invalid *note.InvalidSignatureError
	switch {
	case errors.As(err, &unverified), errors.As(err, &invalid):
		return nil, c, &refusal{code: http.StatusForbidden, text: "not signed by the log's key"}
	case err != nil:
		return nil, c, &refusal{code: http.StatusBadRequest, text: "no checkpoint"}
	}
	return v, c, nil
}

// consistent says why a checkpoint may not follow the last one.
func consistent(req request, c, last audit.Checkpoint) *refusal {
	switch {
	case req.old > c.Size:
		return &refusal{code: http.StatusBadRequest, text: "the old size is larger than the checkpoint's"}
	case req.old != last.Size:
		return &refusal{code: http.StatusConflict, size: last.Size, text: "another size was signed last"}
	case c.Size == last.Size && last.Note != nil:
		if c.Root != last.Root {
			return &refusal{code: http.StatusConflict, size: last.Size, text: "another root was signed for this size"}
		}
		return nil
	case req.old == 0 && len(req.proof) > 0:
		return &refusal{code: http.StatusUnprocessableEntity, text: "a proof from an empty tree"}
	case req.old == 0:
		return nil
	}
	if err := tlog.CheckTree(req.proof, int64(c.Size), c.Root, int64(last.Size), last.Root); err != nil {
		return &refusal{code: http.StatusUnprocessableEntity, text: "the checkpoint is not consistent with the one signed last"}
	}
	return nil
}

func (s *Server) file(v note.Verifier) string {
	name := sha256.Sum256([]byte(v.Name()))
	return filepath.Join(s.dir, hex.EncodeToString(name[:])+".checkpoint")
}

// last is the checkpoint that was signed last; the zero one when there is none.
func (s *Server) last(v note.Verifier) (audit.Checkpoint, error) {
	data, err := os.ReadFile(s.file(v))
	if errors.Is(err, fs.ErrNotExist) {
		return audit.Checkpoint{}, nil
	}
	if err != nil {
		return audit.Checkpoint{}, fmt.Errorf("reading the last checkpoint: %w", err)
	}
	c, _, err := audit.OpenCheckpoint(data, v)
	if err != nil {
		return c, fmt.Errorf("reading the last checkpoint of %s from %s: %w; put the file back from a copy: without it a log that was rolled back would pass", v.Name(), s.file(v), err)
	}
	return c, nil
}

// keep makes a checkpoint the last one, durably, before anyone sees a signature.
func (s *Server) keep(v note.Verifier, signed []byte) error {
	path := s.file(v)
	f, err := os.OpenFile(path+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(signed)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
		return err
	}
	dir, err := os.Open(s.dir)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// cosign makes the signature line of a checkpoint.
func (s *Server) cosign(signed []byte, v note.Verifier) ([]byte, error) {
	n, err := note.Open(signed, note.VerifierList(v))
	if err != nil {
		return nil, err
	}
	whole, err := note.Sign(&note.Note{Text: n.Text}, s.signer)
	if err != nil {
		return nil, err
	}
	return whole[len(n.Text)+1:], nil // behind the text and the empty line
}

func cutLine(b []byte) (line, rest string, ok bool) {
	for i, c := range b {
		if c == '\n' {
			return string(b[:i]), string(b[i+1:]), true
		}
	}
	return string(b), "", false
}

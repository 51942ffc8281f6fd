package witness

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/phigate/phigate/plugin/audit"
)

// RollbackError says that the witness has signed more records than the log has.
type RollbackError struct{ Witness, Log uint64 }

func (e *RollbackError) Error() string {
	return fmt.Sprintf("the witness has signed %d records, and the log has %d: the log was rolled back", e.Witness, e.Log)
}

// ForkError says that the witness has signed other records of the same log.
type ForkError struct{ Size uint64 }

func (e *ForkError) Error() string {
	return fmt.Sprintf("the log of %d records is not the one that the witness has signed: the log was changed, or there are two of it", e.Size)
}

// Client submits a log's checkpoints to one witness. Not for concurrent use.
type Client struct {
	URL      string // the submission prefix
	Verifier note.Verifier
	HTTP     *http.Client
	// Prove proves that the first old records are the first of the first size.
	Prove func(old, size uint64) ([]tlog.Hash, error)

	signed uint64 // what the witness signed last, as far as is known
}

// Submit asks for a cosignature and returns the signature lines. A witness that
// does not answer is an error; one that refuses since it signed another log is a
// *RollbackError or a *ForkError.
func (c *Client) Submit(ctx context.Context, cp audit.Checkpoint) (lines []byte, err error) {
	for range 3 { // once to learn what it signed last, and once more if that has just changed
		if c.signed > cp.Size {
			return nil, &RollbackError{Witness: c.signed, Log: cp.Size}
		}
		proof, err := c.Prove(c.signed, cp.Size)
		if err != nil {
			return nil, err
		}
		lines, conflict, err := c.post(ctx, cp, request{old: c.signed, proof: proof, checkpoint: cp.Note})
		switch {
		case err != nil:
			return nil, err
		case conflict == nil:
			c.signed = cp.Size
			return lines, nil
		case *conflict == c.signed:
			return nil, &ForkError{Size: cp.Size}
		}
		c.signed = *conflict
	}
	return nil, errors.New("the witness signs for another client of the same log: is there a second phigated with its keys?")
}

// post sends one request; conflict is the size that the witness signed last.
func (c *Client) post(ctx context.Context, cp audit.Checkpoint, r request) (lines []byte, conflict *uint64, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(c.URL, "/")+addPath, bytes.NewReader(r.bytes()))
	if err != nil {
		return nil, nil, fmt.Errorf("asking the witness: %w", err)
	}
	resp, err := c.HTTP.Do(req)
	if err != nil {
		return nil, nil, fmt.Errorf("asking the witness: %w", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxRequest))
	if err != nil {
		return nil, nil, fmt.Errorf("asking the witness: %w", err)
	}
	switch resp.StatusCode {
	case http.StatusOK:
		lines, err := c.check(cp, body)
		return lines, nil, err
	case http.StatusConflict:
		size, err := parseSize(strings.TrimSuffix(string(body), "\n"))
		if err != nil {
			return nil, nil, errors.New("asking the witness: its conflict names no size")
		}
		return nil, &size, nil
	case http.StatusUnprocessableEntity:
		return nil, nil, &ForkError{Size: cp.Size}
	case http.StatusNotFound:
		return nil, nil, fmt.Errorf("asking the witness at %s: it does not know this log: give it the log's verifier key", c.URL)
	case http.StatusForbidden:
		return nil, nil, fmt.Errorf("asking the witness at %s: it knows the log by another key", c.URL)
	}
	return nil, nil, fmt.Errorf("asking the witness at %s: it answered %s", c.URL, resp.Status)
}

// check keeps the lines that the witness's key has signed.
func (c *Client) check(cp audit.Checkpoint, lines []byte) ([]byte, error) {
	text, _, _ := strings.Cut(string(cp.Note), "\n\n")
	n, err := note.Open([]byte(text+"\n\n"+string(lines)), note.VerifierList(c.Verifier))
	if err != nil {
		return nil, fmt.Errorf("asking the witness at %s: its signature is not that of the key that was configured", c.URL)
	}
	n.UnverifiedSigs = nil
	whole, err := note.Sign(n)
	if err != nil {
		return nil, fmt.Errorf("asking the witness: %w", err)
	}
	return whole[len(n.Text)+1:], nil
}

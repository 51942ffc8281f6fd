// Package judge is what doors outside phigated say to it: here is a container,
// may it run? It is spoken over a socket of its own beside the commands', since
// the root filesystem travels as a file descriptor, and since those who speak it are
// started for each container: nothing heavy is linked (no net, no HTTP).
//
// One connection is one question:
//
//	question  magic, length of the JSON, length of config.json; both as they are.
//	          The descriptor of the root filesystem comes with the first byte.
//	answer    magic, length of the JSON; the JSON.
//
// Lengths are four bytes, big endian.
package judge

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// Bounds of what is said, in bytes.
const (
	MaxConfig = 16 << 20 // config.json, as package bundle has it
	maxHead   = 256 << 10
	maxAnswer = 64 << 10
)

const (
	askMagic    = "PHGQ1\r\n\x00"
	answerMagic = "PHGA1\r\n\x00"
)

// Question is what is asked, besides config.json and the root filesystem.
type Question struct {
	Door    string `json:"door"`    // "wrapper" or "hook"
	Command string `json:"command"` // of the runtime: "create", "run", "restore"
	ID      string `json:"id"`      // of the container
	Bundle  string `json:"bundle"`  // where the bundle lies, links resolved
	Root    string `json:"root"`    // where the root filesystem lies
	Mount   string `json:"mount"`   // its line of mountinfo, where it is a mount point
	// Login is the kernel's login user ID of whoever started the runtime, nil where
	// it has none, as with what containerd and dockerd start.
	Login *uint32 `json:"login,omitempty"`
	// Within is for how long an answer is waited for.
	Within time.Duration `json:"within"`
	// BreakGlass is there when the container will run whatever the answer.
	BreakGlass *BreakGlass `json:"breakGlass,omitempty"`
}

// BreakGlass says who let containers run unjudged, and until when. Without a
// file it is the door's configuration (onUnavailable), and Reason is the key that did.
type BreakGlass struct {
	File   string    `json:"file"`
	Until  time.Time `json:"until"`
	Reason string    `json:"reason"`
}

// Use is one container that runs without a verdict in its favour, as a door
// keeps it in a file where phigated could not be told.
type Use struct {
	Time       time.Time  `json:"time"`
	Container  string     `json:"container"`
	Bundle     string     `json:"bundle"`
	Refused    string     `json:"refused"` // why it would not have run
	BreakGlass BreakGlass `json:"breakGlass"`
}

// Answer is phigated's.
type Answer struct {
	Allow bool   `json:"allow"`
	Line  string `json:"line,omitempty"` // why not, one line
	Seq   uint64 `json:"seq,omitempty"`  // the decision in the log; 0: none was made
	// Noted is true when the use of break-glass is in the log.
	Noted bool `json:"noted,omitempty"`
}

// head is the beginning of a question: magic and lengths.
const headSize = len(askMagic) + 8

// frame is the question's bytes before config.json.
func (q *Question) frame(config []byte) ([]byte, error) {
	text, err := json.Marshal(q)
	if err != nil {
		return nil, err
	}
	if len(text) > maxHead || len(config) > MaxConfig {
		return nil, fmt.Errorf("the question has %d bytes and a config.json of %d; %d and %d are taken", len(text), len(config), maxHead, MaxConfig)
	}
	out := append(make([]byte, 0, headSize+len(text)), askMagic...)
	out = binary.BigEndian.AppendUint32(out, uint32(len(text)))
	out = binary.BigEndian.AppendUint32(out, uint32(len(config)))
	return append(out, text...), nil
}

// HeadSize is how many bytes begin a question, with which the descriptor comes.
const HeadSize = headSize

var errNonsense = errors.New("it does not speak phigate's language")

// ReadQuestion reads a question whose first HeadSize bytes are head.
func ReadQuestion(head []byte, rest io.Reader) (q Question, config []byte, err error) {
	if len(head) != headSize || string(head[:len(askMagic)]) != askMagic {
		return q, nil, errNonsense
	}
	n, size := binary.BigEndian.Uint32(head[len(askMagic):]), binary.BigEndian.Uint32(head[len(askMagic)+4:])
	if n > maxHead || size > MaxConfig {
		return q, nil, errNonsense
	}
	text, err := readN(rest, int(n))
	if err != nil {
		return q, nil, err
	}
	if json.Unmarshal(text, &q) != nil {
		return q, nil, errNonsense
	}
	config, err = readN(rest, int(size))
	return q, config, err
}

// readN reads n bytes and takes memory as they come.
func readN(r io.Reader, n int) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, int64(n)))
	if err == nil && len(data) < n {
		err = io.ErrUnexpectedEOF
	}
	return data, err
}

// WriteAnswer writes an answer, whose line is cut where it is too long.
func WriteAnswer(w io.Writer, a Answer) error {
	if len(a.Line) > maxAnswer/8 { // JSON may write a byte as six
		a.Line = a.Line[:maxAnswer/8]
	}
	text, err := json.Marshal(a)
	if err != nil {
		return err
	}
	out := append(make([]byte, 0, len(answerMagic)+4+len(text)), answerMagic...)
	out = binary.BigEndian.AppendUint32(out, uint32(len(text)))
	_, err = w.Write(append(out, text...))
	return err
}

// readAnswer reads an answer, which is complete or none.
func readAnswer(r io.Reader) (a Answer, err error) {
	head := make([]byte, len(answerMagic)+4)
	if _, err := io.ReadFull(r, head); err != nil {
		return a, err
	}
	n := binary.BigEndian.Uint32(head[len(answerMagic):])
	if string(head[:len(answerMagic)]) != answerMagic || n > maxAnswer {
		return a, errNonsense
	}
	text, err := readN(r, int(n))
	if err != nil {
		return a, err
	}
	// What is allowed has a decision in the log; what is not has a reason.
	if json.Unmarshal(text, &a) != nil || a.Allow && a.Seq == 0 || !a.Allow && a.Line == "" {
		return Answer{}, errNonsense
	}
	return a, nil
}

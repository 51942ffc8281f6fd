package door

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Messages go where the runtime's own go: to its --log, from which the client
// takes the words of its error, and to standard error.
type Messages struct {
	File   string
	Format string // "json" or "text"
	Stderr io.Writer
}

// Refuse tells why there will be no container and returns the exit code.
func (m Messages) Refuse(err error, code int) int {
	m.say("error", err.Error())
	return code
}

// Warn tells something that is no refusal.
func (m Messages) Warn(text string) { m.say("warning", text) }

func (m Messages) say(level, text string) {
	text = strings.ReplaceAll(text, "\n", " ")
	fmt.Fprintln(m.Stderr, text)
	if m.File == "" {
		return
	}
	if err := m.log(level, text); err != nil {
		fmt.Fprintf(m.Stderr, "phigate: writing to the runtime's log: %v\n", err)
	}
}

// log appends a line as runc's logger does. The file is opened as runc opens it
// (main.go: O_CREATE|O_WRONLY|O_APPEND, 0644), but never waits for a FIFO's reader.
func (m Messages) log(level, text string) error {
	line, err := logLine(m.Format, level, text, time.Now())
	if err != nil {
		return err
	}
	f, err := os.OpenFile(m.File, os.O_CREATE|os.O_WRONLY|os.O_APPEND|unix.O_NONBLOCK, 0o644)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.Write(line)
	return err
}

func logLine(format, level, text string, now time.Time) ([]byte, error) {
	at := now.UTC().Format(time.RFC3339)
	if format != "json" {
		return fmt.Appendf(nil, "time=%s level=%s msg=%s\n", strconv.Quote(at), level, strconv.Quote(text)), nil
	}
	line, err := json.Marshal(struct {
		Level string `json:"level"`
		Msg   string `json:"msg"`
		Time  string `json:"time"`
	}{level, text, at})
	return append(line, '\n'), err
}

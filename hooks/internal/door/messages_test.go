package door

import (
	"os"
	"strings"
	"testing"
	"time"
)

func TestLogLine(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.FixedZone("", 3600))
	for format, want := range map[string]string{
		"json": `{"level":"error","msg":"a \"b\"","time":"2026-01-02T02:04:05Z"}` + "\n",
		"text": `time="2026-01-02T02:04:05Z" level=error msg="a \"b\""` + "\n",
		"":     `time="2026-01-02T02:04:05Z" level=error msg="a \"b\""` + "\n",
	} {
		got, err := logLine(format, "error", `a "b"`, at)
		if err != nil || string(got) != want {
			t.Errorf("%q: got %s (%v), want %s", format, got, err, want)
		}
	}
}

func TestRefuseWhereTheLogCannotBeWritten(t *testing.T) {
	var errs strings.Builder
	m := Messages{File: "/nonexistent/log", Format: "json", Stderr: &errs}
	if code := m.Refuse(os.ErrInvalid, 1); code != 1 || !strings.HasPrefix(errs.String(), "invalid argument\n") {
		t.Errorf("code %d, said %q", code, errs.String())
	}
}

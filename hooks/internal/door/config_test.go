package door

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseConfig(t *testing.T) {
	with := func(change func(*Config)) Config {
		c := Defaults()
		c.Runc = "/usr/bin/runc"
		change(&c)
		return c
	}
	same := func(*Config) {}
	tests := map[string]struct {
		text   string
		want   Config
		failed string // part of the error
	}{
		"least":    {text: "runc: /usr/bin/runc", want: with(same)},
		"comments": {text: "---\n# a comment\n\n  # another\nrunc: /usr/bin/runc # the real one\r\n", want: with(same)},
		"quoted":   {text: "runc: \"/usr/bin/runc\"   # x\n", want: with(same)},
		"all": {text: "runc: /usr/bin/runc\nsocket: /s/gate.sock\ndeadline: 1m30s\nonUnavailable: allow\nbreakGlass: /b\nspool: /p/\n", want: with(func(c *Config) {
			c.Socket, c.Deadline, c.Unavailable, c.BreakGlass, c.Spool = "/s/gate.sock", 90*time.Second, Unavailable{allow: true}, "/b", "/p"
		})},

		"empty":            {text: "", want: Defaults()},
		"unknown_key":      {"runc: /r\nrunk: /r\n", Config{}, `line 2: "runk" is no key`},
		"twice":            {"runc: /r\nrunc: /r\n", Config{}, "line 2: runc stands twice"},
		"relative":         {"runc: runc\n", Config{}, "must be an absolute path"},
		"deadline_of_0":    {"deadline: 0s\n", Config{}, "deadline must be from"},
		"deadline_number":  {"deadline: 60\n", Config{}, "deadline must be from"},
		"deadline_of_days": {"deadline: 48h\n", Config{}, "deadline must be from"},
		"other_policy":     {"onUnavailable: Allow\n", Config{}, "deny or allow"},
		"no_value":         {"runc:\n", Config{}, "has no plain value"},
		"no_space":         {"runc:/r\n", Config{}, "not of the form"},
		"indented":         {" runc: /r\n", Config{}, "not of the form"},
		"a_list":           {"runc: [/r]\n", Config{}, "has no plain value"},
		"an_alias":         {"runc: *r\n", Config{}, "has no plain value"},
		"a_block":          {"runc: |\n", Config{}, "has no plain value"},
		"escapes":          {`runc: "/r\x41"`, Config{}, "no backslash"},
		"open_quotes":      {`runc: "/r`, Config{}, "a value in quotes"},
		"single_quotes":    {"runc: '/r'\n", Config{}, "has no plain value"},
		"garbage":          {"\x00\xff\n", Config{}, "not of the form"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := parseConfig([]byte(test.text))
			if test.failed != "" {
				if err == nil || !strings.Contains(err.Error(), test.failed) {
					t.Errorf("got error %v, want %q", err, test.failed)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got, cmp.AllowUnexported(Unavailable{})); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func FuzzParseConfig(f *testing.F) {
	f.Add("runc: /usr/bin/runc\ndeadline: 1s\n")
	f.Add("runc: \"/r\" # x\n---\n")
	f.Add("onUnavailable.k8s.io/kube-system: allow\nonUnavailable: deny\n")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := parseConfig([]byte(text))
		if err == nil && (c.Runc != "" && !filepath.IsAbs(c.Runc) || !filepath.IsAbs(c.Socket) || c.Deadline <= 0) {
			t.Errorf("a configuration that means nothing was taken")
		}
		if err == nil && c.Unavailable.allow && !strings.Contains(text, "allow") {
			t.Errorf("containers run without an answer, and nobody said so")
		}
	})
}

func TestConfigsOwner(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("files that are not root's need root")
	}
	tests := map[string]struct {
		change func(dir, file string) error
		failed string
	}{
		"roots_alone":      {func(_, _ string) error { return nil }, ""},
		"readable_by_all":  {func(_, file string) error { return os.Chmod(file, 0o644) }, ""},
		"writable_by_all":  {func(_, file string) error { return os.Chmod(file, 0o602) }, "may be written to by others"},
		"writable_by_few":  {func(_, file string) error { return os.Chmod(file, 0o620) }, "may be written to by others"},
		"another_owner":    {func(_, file string) error { return os.Chown(file, 12345, 0) }, "belongs to user 12345"},
		"folder_of_other":  {func(dir, _ string) error { return os.Chown(dir, 12345, 0) }, "the folder"},
		"folder_writable":  {func(dir, _ string) error { return os.Chmod(dir, 0o770) }, "the folder"},
		"folder_is_sticky": {func(dir, _ string) error { return os.Chmod(dir, 0o777|os.ModeSticky) }, ""},
		"gone":             {func(_, file string) error { return os.Remove(file) }, "no such file"},
		"a_folder":         {func(_, file string) error { _ = os.Remove(file); return os.Mkdir(file, 0o700) }, "not a file"},
		"too_large":        {func(_, file string) error { return os.Truncate(file, maxFile+1) }, "not a file of at most"},
		"link_into_anothers_folder": {func(dir, file string) error {
			sub := filepath.Join(dir, "sub")
			_ = os.Mkdir(sub, 0o700)
			_ = os.Rename(file, filepath.Join(sub, "x"))
			_ = os.Symlink("sub/x", file)
			return os.Chown(sub, 12345, 0)
		}, "the folder"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			file := filepath.Join(dir, "runc.yaml")
			if err := os.WriteFile(file, []byte("runc: /usr/bin/runc\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := test.change(dir, file); err != nil {
				t.Fatal(err)
			}
			_, err := LoadConfig(file)
			if (err != nil) != (test.failed != "") || err != nil && !strings.Contains(err.Error(), test.failed) {
				t.Errorf("got error %v, want %q", err, test.failed)
			}
		})
	}
	if _, err := LoadConfig("runc.yaml"); err == nil {
		t.Error("a relative path was taken")
	}
}

func TestReadBreakGlass(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("the file must be root's")
	}
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	tests := map[string]struct {
		text, reason, failed string
	}{
		"in_force":      {"2026-01-02T04:00:00Z\nnight shift\nmore\n", "night shift", ""},
		"other_zone":    {"2026-01-02T05:00:00+01:00\n", "no reason given", ""},
		"ended":         {"2026-01-02T03:04:05Z\nx\n", "", "it ended at"},
		"too_long":      {"2026-01-09T00:00:00Z\nx\n", "", "more than 24h"},
		"no_time":       {"tomorrow\n", "", "first line is no time"},
		"empty":         {"", "", "first line is no time"},
		"reason_is_not": {"night shift\n2026-01-02T04:00:00Z\n", "", "first line is no time"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "break-glass")
			if err := os.WriteFile(file, []byte(test.text), 0o600); err != nil {
				t.Fatal(err)
			}
			got, err := readBreakGlass(file, now)
			if test.failed != "" {
				if got != nil || err == nil || !strings.Contains(err.Error(), test.failed) {
					t.Errorf("got %+v, %v; want an error with %q", got, err, test.failed)
				}
				return
			}
			if err != nil || got == nil || got.Reason != test.reason {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
	if got, err := readBreakGlass(filepath.Join(t.TempDir(), "none"), now); got != nil || err != nil {
		t.Errorf("without the file: %+v, %v", got, err)
	}
}

// The example says what is the case without it.
func TestExample(t *testing.T) {
	data, err := os.ReadFile("../../../deploy/runc.yaml")
	if err != nil {
		t.Fatal(err)
	}
	got, err := parseConfig(data)
	if err != nil {
		t.Fatal(err)
	}
	want := Defaults()
	want.Runc = "/usr/sbin/runc"
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(Unavailable{})); diff != "" {
		t.Error(diff)
	}
}

package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/phigate/phigate/plugin/ask"
	"github.com/phigate/phigate/plugin/conf"
	"github.com/phigate/phigate/plugin/install"
	"github.com/phigate/phigate/policy"
)

const statusLong = `Status asks the phigated of this node how it is: whether it stands in the
runtime's way, which policy is in force, how far the scan of images is, and
whether decisions can be recorded.

It ends with 0 where phigated answers, whatever it says, and with 1 where it
does not. Programs read --format json: .runtime.connected, .policy.error and
.log.error say whether the gate works.`

func newStatusCommand() *cobra.Command {
	var format, path string
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show how the gate on this node is",
		Long:  statusLong,
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if format != "text" && format != "json" {
				return usage("--format %q: it is text or json", format)
			}
			c, err := conf.Load(path)
			switch {
			case errors.Is(err, fs.ErrNotExist) && !cmd.Flags().Changed("config"):
				c = conf.Default()
			case err != nil:
				return &ExitError{ExitUsage, err}
			}
			s, err := ask.GetStatus(cmd.Context(), c.Socket)
			if err != nil {
				return err
			}
			full := nodeStatus{s, requirement(c)}
			if format == "json" {
				return statusJSON(cmd.OutOrStdout(), full)
			}
			return statusText(cmd.OutOrStdout(), full, time.Now())
		},
	}
	cmd.Flags().StringVar(&format, "format", "text", "text or json")
	cmd.Flags().StringVar(&path, "config", conf.DefaultPath, "phigated's configuration, which says where its socket is")
	return cmd
}

// nodeStatus is what phigated says, and what containerd's files do.
type nodeStatus struct {
	*ask.Status
	Required required `json:"required"`
}

// required says whether containerd refuses containers while phigated is away.
type required struct {
	Required bool   `json:"required"`
	Error    string `json:"error,omitempty"` // why containerd's configuration cannot be read
}

func requirement(c conf.Config) required {
	tree, err := install.OpenTree("/")
	if err != nil {
		return required{Error: err.Error()}
	}
	defer tree.Close()
	disk, err := install.ReadContainerd(tree)
	if err != nil {
		return required{Error: err.Error()}
	}
	return required{Required: disk.Requires(c.NRI.Name)}
}

func statusJSON(w io.Writer, s nodeStatus) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(s)
}

// statusText is the status for people: what does not work is in capitals.
func statusText(w io.Writer, s nodeStatus, now time.Time) error {
	var b strings.Builder
	row := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-9s  %s\n", name, policy.Printable(fmt.Sprintf(format, args...)))
	}
	row("phigated", "%s, up %s", s.Version, since(s.Started, now))
	runtimeRows(row, s.Runtime, now)
	switch {
	case s.Required.Error != "":
		row("required", "UNKNOWN: %s", s.Required.Error)
	case s.Required.Required:
		row("required", "yes: containerd creates nothing without phigate")
	default:
		row("required", "NO: containerd creates containers unjudged while phigate is away; see: phigate doctor")
	}
	policyRows(row, s.Policy)
	switch {
	case s.Scan.Error != "":
		row("scan", "FAILING: %s", s.Scan.Error)
	case s.Scan.Idle && s.Scan.Waiting == 0:
		row("scan", "idle: all images are known")
	default:
		row("scan", "in progress, %s waiting", count(s.Scan.Waiting, "layer"))
	}
	softwareRows(row, s.Software)
	switch {
	case s.Log.Error != "":
		row("log", "FAILING: %s; nothing can be recorded, so all is refused", s.Log.Error)
	case s.Log.Last.IsZero():
		row("log", "empty")
	case s.Log.ID == "":
		row("log", "last decision %s ago", since(s.Log.Last, now))
	default:
		row("log", "%d decisions, the last %s ago, %d MiB", s.Log.Seq, since(s.Log.Last, now), s.Log.Bytes>>20)
	}
	logRows(row, s.Log, now)
	journalRow(row, s.Journal, s.Log.Seq, now)
	bypassRows(row, s.Bypass, now)
	_, err := io.WriteString(w, b.String())
	return err
}

func runtimeRows(row func(name, format string, args ...any), r ask.RuntimeStatus, now time.Time) {
	if !r.Connected {
		row("runtime", "NOT CONNECTED: containers are not judged, unless the runtime requires phigate")
	} else {
		row("runtime", "connected to %s for %s", orUnknown(r.Name), since(r.Since, now))
		row("gate", "%s", orUnknown(r.Gate))
	}
	if r.Error != "" {
		row("", "%s", r.Error)
	}
}

// softwareRows says how old the facts are that software is compared with. A
// phigated that is older says nothing of it.
func softwareRows(row func(name, format string, args ...any), s ask.SoftwareStatus) {
	switch {
	case s.Table == "":
		return
	case !s.Given:
		row("software", "compared with the built-in table of %s alone; no advisories are given", s.Table)
	case s.Advisories == 0:
		row("software", "compared with the built-in table of %s; NO ADVISORIES in force", s.Table)
	case s.Newest.IsZero():
		row("software", "compared with the built-in table of %s and %d advisories without a date", s.Table, s.Advisories)
	default:
		row("software", "compared with the built-in table of %s and %d advisories, the newest of %s", s.Table, s.Advisories, s.Newest.UTC().Format(time.DateOnly))
	}
	if s.Error != "" {
		row("", "advisories: %s", s.Error)
	}
}

// bypassRows says what ran unjudged. A phigated that is older says nothing of it.
func bypassRows(row func(name, format string, args ...any), b ask.BypassStatus, now time.Time) {
	switch {
	case b.Unjudged > 0:
		row("bypass", "%s UNJUDGED: %s", strings.ToUpper(count(b.Unjudged, "container")), b.Hint)
	case b.Error != "":
		row("bypass", "NOT WATCHED FOR: %s", b.Error)
	case b.Watching:
		row("bypass", "none: all that was started here was judged")
	}
	for _, f := range b.Recent {
		text := fmt.Sprintf("%s/%s, image %s, of %s, %s ago", f.Namespace, f.ID, orUnknown(f.Image), f.Client, since(f.Time, now))
		if f.Killed {
			text += ", killed"
		}
		if f.Seq > 0 {
			text += fmt.Sprintf("; see: phigate decisions %d", f.Seq)
		}
		row("", "%s", text)
	}
}

func policyRows(row func(name, format string, args ...any), p ask.PolicyStatus) {
	switch {
	case p.Digest == "":
		row("policy", "NONE IN FORCE: everything is refused")
	case len(p.Names) == 0:
		row("policy", "the built-in baseline alone (%s)", p.Digest)
	default:
		row("policy", "%s (%s)", strings.Join(p.Names, ", "), p.Digest)
	}
	if p.LastGood {
		row("", "KEPT FROM AN EARLIER START: the policy files are not in force")
	}
	for line := range strings.Lines(p.Error) {
		row("", "policy files: %s", strings.TrimSpace(line))
	}
}

func orUnknown(s string) string {
	if s == "" {
		return "unknown"
	}
	return s
}

// since is the time that has passed, to the second.
func since(t, now time.Time) time.Duration { return max(now.Sub(t), 0).Round(time.Second) }

// logRows says who else knows what the log holds. A phigated that is older says
// nothing of it.
func logRows(row func(name, format string, args ...any), l ask.LogStatus, now time.Time) {
	if l.ID == "" {
		return
	}
	if !l.Enrolled {
		row("", "NOT ENROLLED: the first key of the log is on this node; see: phigate audit enrol --help")
	}
	if !l.Signed.IsZero() {
		row("", "checkpoint of %d, %s ago", l.Checkpoint, since(l.Signed, now))
	}
	if l.Archive != "" {
		row("", "archive: FAILING: %s", l.Archive)
	}
	for _, o := range l.Outlets {
		switch {
		case o.Alarm:
			row("", "ALARM: %s: %s", o.Name, o.Error)
		case o.Error != "":
			row("", "%s: FAILING: %s", o.Name, o.Error)
		case o.Size > 0:
			row("", "%s: has %d, %s ago", o.Name, o.Size, since(o.Time, now))
		}
	}
}

// journalRow says how far the log has come into the journal. A phigated that is
// older says nothing of it.
func journalRow(row func(name, format string, args ...any), j *ask.JournalStatus, last uint64, now time.Time) {
	switch {
	case j == nil:
	case j.Error != "":
		row("journal", "BEHIND: %d of %d are known to be there: %s", j.Confirmed, last, j.Error)
	case !j.ReadBack:
		row("journal", "has been sent %d; what it loses is not noticed: its socket is not one that journalctl reads", j.Sent)
	case j.Since.IsZero():
		row("journal", "has all up to %d", j.Confirmed)
	default:
		row("journal", "has all up to %d, the rest for %s not yet", j.Confirmed, since(j.Since, now))
	}
}

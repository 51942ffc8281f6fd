package daemon

import (
	"github.com/phigate/phigate/plugin/ask"
	"github.com/phigate/phigate/plugin/bypass"
	"github.com/phigate/phigate/plugin/redact"
)

// status is what phigated says of itself to the commands.
func (d *Daemon) status() ask.Status {
	door := d.door.State()
	idle, waiting := d.scanner.Idle()
	status := ask.Status{
		Version: d.Version, Started: d.began,
		Runtime: ask.RuntimeStatus{Connected: door.Connected, Name: door.Runtime, Gate: door.Gate, Since: door.Since, Error: door.Error},
		Policy:  d.policies.status(),
		Scan:    ask.ScanStatus{Idle: idle, Waiting: waiting, Error: d.scanner.Trouble()},
		Log:     d.recorder.status(),
		Bypass:  bypassStatus(d.bypass.State()), Software: d.advisories.state(),
	}
	if d.exporter != nil {
		s := ask.JournalStatus(d.exporter.State())
		status.Journal = &s
	}
	redactStatus(d.recorder.redact, &status)
	return status
}

func bypassStatus(s bypass.State) ask.BypassStatus {
	out := ask.BypassStatus{Watching: s.Watching, Error: s.Error, Unjudged: s.Unjudged, Killed: s.Killed, Pods: s.Pods, Builds: s.Builds}
	for _, f := range s.Recent {
		out.Recent = append(out.Recent, ask.Bypasser(f))
		out.Hint = bypass.Hint
	}
	return out
}

// redactStatus takes out what names from outside, and errors with such names, say
// of people. Container IDs stay, as they do in records.
func redactStatus(r redact.Redactor, s *ask.Status) {
	for _, text := range []*string{&s.Runtime.Name, &s.Runtime.Error, &s.Policy.Error, &s.Scan.Error, &s.Log.Error, &s.Log.Archive, &s.Bypass.Error, &s.Software.Error} {
		*text = r.Text(*text)
	}
	names := make([]string, len(s.Policy.Names))
	for i, name := range s.Policy.Names { // the list is the policy's
		names[i] = r.Text(name)
	}
	s.Policy.Names = names
	for i := range s.Log.Outlets {
		o := &s.Log.Outlets[i]
		o.Name, o.Error = r.Text(o.Name), r.Text(o.Error)
	}
	for i := range s.Bypass.Recent {
		b := &s.Bypass.Recent[i]
		b.Namespace, b.Image, b.Client = r.Text(b.Namespace), r.Text(b.Image), r.Text(b.Client)
	}
	if s.Journal != nil {
		s.Journal.Error = r.Text(s.Journal.Error)
	}
}

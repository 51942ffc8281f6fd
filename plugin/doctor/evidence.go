package doctor

import (
	"path/filepath"
	"strings"
	"time"

	"github.com/phigate/phigate/plugin/ask"
	"github.com/phigate/phigate/plugin/audit"
)

// late is how old what should come every few seconds may be.
const late = 5 * time.Minute

// evidence judges whether the decision log would convince somebody who does not
// trust this node: who has its keys, who else has seen it, where it goes. A
// phigated that is older says nothing of it.
func evidence(f *Facts) []Check {
	if f.Status == nil || f.Status.Log.ID == "" {
		return nil
	}
	return append([]Check{enrolment(f)}, append(outlets(f), archived(f), exporter(f))...)
}

func enrolment(f *Facts) Check {
	if f.Status.Log.Enrolled {
		return ok("log keys", "the first key is with the auditor")
	}
	return advice("log keys", "phigate audit enrol, with phigated stopped; see: phigate audit enrol --help",
		"the first key of the log's macs is on this node: whoever takes it over could have made all of them")
}

// outlets judges each place off the node that checkpoints go to. What the journal
// has is on the node, so it is not enough alone.
func outlets(f *Facts) []Check {
	var out []Check
	away := 0
	for _, o := range f.Status.Log.Outlets {
		if o.Name == "journal" {
			if o.Error != "" {
				out = append(out, problem("checkpoints: journal", "systemctl status systemd-journald", "%s", o.Error))
			}
			continue
		}
		away++
		out = append(out, outlet(f, o))
	}
	if away == 0 {
		out = append(out, advice("checkpoints", "audit.witnesses in phigate.yaml, with phigate audit witness on another host; or audit.checkpointFile, audit.registry",
			"none leaves this node: with root on it, the whole log could be made anew"))
	}
	return out
}

func outlet(f *Facts, o ask.OutletStatus) Check {
	name := "checkpoints: " + o.Name
	last := "it has had none since phigated started"
	if !o.Time.IsZero() {
		last = "the last one there is " + age(f.Now, o.Time) + " old"
	}
	switch {
	case o.Alarm:
		return problem(name, "save a copy of "+f.Config.Log()+" before anything else, then: phigate audit verify", "it contradicts the log: %s", o.Error)
	case o.Error != "" && f.Tree.Setting("phigated", "PrivateNetwork") == "yes" && !strings.HasPrefix(o.Name, "file "):
		return problem(name, "a drop-in of phigated.service with PrivateNetwork=no, RestrictAddressFamilies=AF_INET AF_INET6 and its address in IPAddressAllow= (deploy/systemd/phigated-network.conf)",
			"%s (%s); the unit gives phigated no network", last, o.Error)
	case o.Error != "":
		return problem(name, "make it reachable from here, or take it out of audit: in phigate.yaml", "%s: %s", last, o.Error)
	case !o.Time.IsZero() && o.Size < f.Status.Log.Checkpoint && f.Now.Sub(o.Time) > late:
		return problem(name, "phigate status; journalctl -u phigated", "%s, and the log has gone on", last)
	case o.Time.IsZero():
		return unknown(name, "", "%s", last)
	}
	return ok(name, "%s", last)
}

func archived(f *Facts) Check {
	c := f.Config.Audit
	switch {
	case f.Status.Log.Archive != "":
		return problem("log archive", "make the archive writable; until then nothing of the log is removed, and the disk fills", "%s", f.Status.Log.Archive)
	case c.Archive == "" && len(c.ArchiveCommand) == 0:
		return advice("log archive", "audit.archive or audit.archiveCommand in phigate.yaml",
			"full segments stay on this node alone; 45 CFR 164.316(b)(2)(i) wants documentation kept for six years")
	}
	return ok("log archive", "full segments leave the node")
}

// exporter judges how far the journal is behind the log.
func exporter(f *Facts) Check {
	const name = "journal export"
	j, last := f.Status.Journal, f.Status.Log.Seq
	switch {
	case j == nil:
		return ok(name, "nothing is sent to the journal")
	case strings.Contains(j.Error, "executable file not found"):
		return problem(name, "have journalctl in phigated's PATH (Debian's package systemd)", "what the journal loses is not noticed: %s", j.Error)
	case j.Error != "":
		return problem(name, "systemctl status systemd-journald; phigate audit reconcile says what is missing",
			"%d of %d records are known to be in the journal, since %s no more: %s", j.Confirmed, last, age(f.Now, j.Since), j.Error)
	case !j.ReadBack:
		return advice(name, "journal: /run/systemd/journal/socket in phigate.yaml, or a namespace's", "what it loses is not noticed: journalctl does not read its socket's journal")
	case !j.Since.IsZero() && f.Now.Sub(j.Since) > late:
		return problem(name, "LogRateLimitIntervalSec=0 in the unit's [Service]; journalctl -u systemd-journald", "%d of %d records are there, and for %s no more", j.Confirmed, last, age(f.Now, j.Since))
	}
	return ok(name, "all up to %d of %d records", j.Confirmed, last)
}

func age(now, then time.Time) string {
	if then.IsZero() {
		return "an unknown time"
	}
	return max(now.Sub(then), 0).Round(time.Second).String()
}

// logKeys are the files of the log that nobody but root may read.
func logKeys(folder string) (out []string) {
	for _, name := range audit.Secrets() {
		out = append(out, filepath.Join(folder, name))
	}
	return out
}

package conf

import (
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
)

// AuditLog is what becomes of the decision log beyond its folder.
type AuditLog struct {
	// Witnesses sign the log's checkpoints on other hosts (C2SP tlog-witness).
	Witnesses []Witness `json:"witnesses"`
	// CheckpointFile is where each new checkpoint is written too: a file that is
	// carried off the node, or a mount that is.
	CheckpointFile string `json:"checkpointFile"`
	// Registry is an OCI repository that checkpoints are pushed to, once a minute
	// at most: registry.example/clinic/checkpoints.
	Registry string `json:"registry"`
	// Archive is a folder, on a mount that is not the node's own disk, that full
	// segments are copied to.
	Archive string `json:"archive"`
	// ArchiveCommand is run with the path of each full segment, and must end with
	// 0 once that is safe elsewhere. With both, both must have it.
	ArchiveCommand []string `json:"archiveCommand"`
	// RetentionDays is how long segments stay on the node. Older ones are removed
	// once they are archived, and never before. 45 CFR 164.316(b)(2)(i) wants six
	// years; 0 keeps them for ever.
	RetentionDays int `json:"retentionDays"`
}

// Witness is one witness.
type Witness struct {
	URL string `json:"url"` // of its submission prefix
	Key string `json:"key"` // its verifier key, as phigate audit witness prints it
}

// defaultRetention is six years, two of them leap years.
const defaultRetention = 2192

func (a AuditLog) check(path string) error {
	var errs []error
	fail := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s: audit."+format, append([]any{path}, args...)...))
	}
	for i, w := range a.Witnesses {
		if u, err := url.Parse(w.URL); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			fail("witnesses[%d].url must be an http or https URL, and is %q", i, w.URL)
		}
		if strings.Count(w.Key, "+") < 2 {
			fail("witnesses[%d].key must be a verifier key, as phigate audit witness prints it", i)
		}
	}
	for name, value := range map[string]string{"checkpointFile": a.CheckpointFile, "archive": a.Archive} {
		if value != "" && !filepath.IsAbs(value) {
			fail("%s must be an absolute path, and is %q", name, value)
		}
	}
	if len(a.ArchiveCommand) > 0 && !filepath.IsAbs(a.ArchiveCommand[0]) {
		fail("archiveCommand must begin with an absolute path, and begins with %q", a.ArchiveCommand[0])
	}
	if a.RetentionDays < 0 {
		fail("retentionDays must not be negative, and is %d", a.RetentionDays)
	}
	return errors.Join(errs...)
}

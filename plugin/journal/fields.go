package journal

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/phigate/phigate/plugin/report"
	"github.com/phigate/phigate/policy"
)

// The journal's priorities, as syslog has them.
const (
	critical = 2
	failure  = 3
	warning  = 4
	notice   = 5
	info     = 6
	debug    = 7
)

// Class is a kind of entry: its fixed MESSAGE_ID, explained by the catalogue in
// deploy/journald, and its priority.
type Class struct {
	Name     string
	ID       string // 128 bits, hex
	Priority int
}

// Classes lists every kind of entry. The last stands for kinds of record that
// have none of their own.
func Classes() []Class {
	return []Class{
		{"block", "8f4d8c26e73eac049c73f1170056cdb4", warning},
		{"allow", "f0e8ff2c4481ad0c5a128c3cd441d482", info},
		{"allow-with-findings", "4fd4b0662954077d6a290de4a764febc", notice},
		{"unjudged", "5a4fd7b61d0c4f1e9d3be0c2876f41ab", warning},
		{"withdrawn", "24adb57b3c50694ba2c2dad9fcb33e7a", warning},
		{"policy-loaded", "1c8d0d40969f7f71184cac18750cd338", notice},
		{"policy-rejected", "12dbc3fed52970462a0df2e26f665d73", failure},
		{"exception-ending", "5b8b0a6d0f3e4c0fb0c86a3f4a1be0e7", warning},
		{"exception-ended", "c1a5a1b9a5d94c7d8f0a7f7e0f6b2d34", warning},
		{"start", "9a5d4865fdace74789c2326e06432004", notice},
		{"stop", "6b0e86cdb47302116e5822cd5dcc5298", notice},
		{"override", "be2c9b1ad0e34f1f9d7f6a1c53e0b7a4", critical},
		{"bypass", "0bd2c4a98fb6440ea1f1b0d4a6c3f957", warning},
		{"log-damaged", "3c5b00d7c8c349c97fd349e80abf2f26", critical},
		{"log-outage", "7a6a005883191c5b3657010f66bb89ca", critical},
		{"log-alarm", "6e2f1b7d94c34a58b0e3d7c15a9f4820", critical},
		{"arrival", "2d90c4e6f1a74b3d8c5e7f0a1b69d3c4", notice},
		{"repeated", "a47e6c0b3f9d4d218b5c1e9073f2d6a8", notice},
		{"folded", "f3b8d50a6c1e4972a9d4075be82c61f7", warning},
		{"heartbeat", "e1d5a0c37f2b4d6b9c8e5f40a1b7d239", debug},
		{checkpoint, "b1f3d9c04a8e4e0f9d6c7a2158e3b0c6", info},
		{"record", "d0b7c1f5a2e94c3f8f6a9e2b71c4d836", info},
	}
}

func classOf(d *policy.Decision) Class {
	name := d.Kind
	if isVerdict(d) {
		name = "block"
		if d.Verdict != policy.Block {
			name = "allow"
			if len(d.Findings) > 0 {
				name = "allow-with-findings"
			}
		}
	}
	return classNamed(name)
}

func classNamed(name string) Class {
	classes := Classes()
	if i := slices.IndexFunc(classes, func(c Class) bool { return c.Name == name }); i >= 0 {
		return classes[i]
	}
	return classes[len(classes)-1]
}

// checkpoint is the class of a signed checkpoint, which is no record.
const checkpoint = "checkpoint"

// CheckpointFields is a signed checkpoint of the log's first size records.
func CheckpointFields(size uint64, note []byte) []Field {
	class := classNamed(checkpoint)
	return []Field{
		{"MESSAGE", fmt.Sprintf("checkpoint of %d decisions", size)},
		{"MESSAGE_ID", class.ID},
		{"PRIORITY", strconv.Itoa(class.Priority)},
		{"SYSLOG_IDENTIFIER", "phigate"},
		{"PHIGATE_CHECKPOINT", string(note)},
		{"PHIGATE_CHECKPOINT_SIZE", strconv.FormatUint(size, 10)},
	}
}

func isVerdict(d *policy.Decision) bool { return d.Kind == "verdict" }

// maxRepeated bounds a repeated field: journald keeps at most 1,024 fields of
// one entry and drops all of it beyond.
const maxRepeated = 300

// Fields is the record as a journal entry. Names are stable.
func Fields(e report.Entry) []Field {
	d := e.Decision
	class := classOf(d)
	fs := entry{
		{"MESSAGE", d.Summary()},
		{"MESSAGE_ID", class.ID},
		{"PRIORITY", strconv.Itoa(class.Priority)},
		{"SYSLOG_IDENTIFIER", "phigate"},
		{"PHIGATE_SEQ", strconv.FormatUint(e.Seq, 10)},
		{"PHIGATE_KIND", d.Kind},
	}
	fs.add("PHIGATE_LOG", e.LogID)
	fs.add("PHIGATE_LEAF", e.Leaf)
	fs.add("PHIGATE_GATE", string(d.Gate))
	fs.add("PHIGATE_CONTAINER_ID", d.Container)
	fs.add("PHIGATE_POD", d.Pod)
	fs.add("PHIGATE_POD_UID", d.PodUID)
	fs.add("PHIGATE_NAMESPACE", d.Namespace)
	fs.add("PHIGATE_IMAGE", d.Image)
	fs.add("PHIGATE_IMAGE_DIGEST", d.ImageDigest)
	fs.add("PHIGATE_IMAGE_CONFIG", d.ImageConfig)
	fs.add("PHIGATE_RUNTIME", d.Runtime)
	fs.add("PHIGATE_RUNTIME_NAMESPACE", d.RuntimeNamespace)
	fs.add("PHIGATE_REQUESTER", d.Requester.Name)
	fs.add("PHIGATE_REQUESTER_FROM", string(d.Requester.From))
	fs.add("PHIGATE_POLICY_DIGEST", d.Policy)
	fs.add("PHIGATE_POLICY_VERSION", d.PolicyVersion)
	fs.origin(d.Origin)
	for i, use := range d.Exceptions {
		if i < maxRepeated {
			fs.add("PHIGATE_EXCEPTION", use.ID)
		}
	}
	if d.Withdraws > 0 {
		fs.add("PHIGATE_WITHDRAWS", strconv.FormatUint(d.Withdraws, 10))
	}
	if isVerdict(d) {
		fs.verdict(d)
	}
	return fs
}

type entry []Field

func (fs *entry) add(name, value string) {
	if value != "" {
		*fs = append(*fs, Field{name, value})
	}
}

// origin is where the record was written, which outlives the fields of that kind
// that journald adds itself: those are not passed on by every shipper.
func (fs *entry) origin(o policy.Origin) {
	fs.add("PHIGATE_NODE", o.Node)
	fs.add("PHIGATE_MACHINE_ID", o.Machine)
	fs.add("PHIGATE_BOOT_ID", o.Boot)
	fs.add("PHIGATE_CLOCK", string(o.Clock))
	fs.add("PHIGATE_VERSION", o.Version)
	fs.add("PHIGATE_PROGRAM_DIGEST", o.Digest)
}

func (fs *entry) verdict(d *policy.Decision) {
	fs.add("PHIGATE_ACTION", d.Verdict.String())
	fs.add("PHIGATE_MODE", d.Mode.String())
	gravest := policy.Informational
	var rules, citations []string
	for _, r := range d.Findings {
		gravest = min(gravest, r.Severity)
		rules = addNew(rules, r.Rule)
		for _, c := range r.Citations {
			citations = addNew(citations, c)
		}
	}
	if len(d.Findings) > 0 {
		fs.add("PHIGATE_SEVERITY", gravest.String())
	}
	for _, r := range rules {
		fs.add("PHIGATE_RULE", r)
	}
	for _, c := range citations {
		fs.add("PHIGATE_CITATION", c)
	}
	for _, c := range citations {
		fs.add("PHIGATE_TAG", wazuhTag(c))
	}
	fs.add("PHIGATE_COVERAGE", fmt.Sprintf("files=%d bytes=%d rules=%d skipped=%d deferred=%d",
		d.Coverage.Files, d.Coverage.Bytes, d.Coverage.Rules, max(d.SkippedTotal, len(d.Skipped)), len(d.Deferred)))
	fs.add("PHIGATE_DURATION_US", strconv.FormatInt(d.DurationUs, 10))
}

// wazuhTag spells a technical safeguard as the group tags of Wazuh's rules do,
// "hipaa_164.312.a.2.IV" for 45 CFR 164.312(a)(2)(iv), so that its dashboards
// count our entries; "" for other sections, which it has no tags for.
func wazuhTag(citation string) string {
	section, paragraphs, ok := strings.Cut(strings.TrimPrefix(citation, "45 CFR "), "(")
	if !ok || section != "164.312" {
		return ""
	}
	parts := strings.Split(strings.TrimSuffix(paragraphs, ")"), ")(")
	if len(parts) > 2 {
		parts[2] = strings.ToUpper(parts[2])
	}
	return "hipaa_" + section + "." + strings.Join(parts, ".")
}

func addNew(list []string, s string) []string {
	if len(list) >= maxRepeated || slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}

package export

import (
	"strconv"
	"strings"
	"unicode"

	"github.com/phigate/phigate/plugin/report"
	"github.com/phigate/phigate/policy"
)

// CEF's limits on values, in bytes, from its extension dictionary.
const (
	cefText   = 1023 // msg, fname, reason
	cefCustom = 4000 // cs1 to cs6
	cefHost   = 100  // dvchost
)

// cef is the record as one line of ArcSight's Common Event Format. The format
// has six numbered strings and three numbered numbers for what its dictionary
// has no key for; each comes with its label.
func cef(e report.Entry) string {
	d := e.Decision
	var b strings.Builder
	b.WriteString("CEF:0")
	for _, field := range []string{"phigate", "phigate", "1", d.Kind, cefName(d), strconv.Itoa(cefSeverity(grave(d)))} {
		b.WriteByte('|')
		b.WriteString(cefHeader(field))
	}
	b.WriteByte('|')
	x := extension{&b, false}
	x.add("rt", strconv.FormatInt(d.Time.UnixMilli(), 10))
	x.add("externalId", strconv.FormatUint(e.Seq, 10))
	x.add("act", cefAction(d))
	x.add("outcome", []string{"success", "failure", "unknown", "success"}[outcome(d)])
	x.add("cat", string(d.Gate))
	x.add("deviceProcessName", "phigated")
	x.add("dvchost", cut(d.Origin.Node, cefHost))
	x.add("deviceExternalId", d.Origin.Machine)
	if d.Requester.From != "" {
		x.add("suser", cut(d.Requester.Name, cefText))
	}
	x.add("msg", cut(d.Summary(), cefText))
	if len(d.Findings) > 0 && d.Findings[0].Path != "" {
		x.add("filePath", cut(d.Findings[0].Path, cefText))
	}
	x.custom("cs", 1, "logId", e.LogID)
	x.custom("cs", 2, "leaf", e.Leaf)
	x.custom("cs", 3, "rules", cut(strings.Join(rulesOf(d), ","), cefCustom))
	x.custom("cs", 4, "citations", cut(strings.Join(citationsOf(d.Findings), ","), cefCustom))
	x.custom("cs", 5, "image", cut(strings.TrimSpace(d.Image+" "+d.ImageDigest), cefCustom))
	x.custom("cs", 6, "container", cut(strings.Join(filled(d.Target, d.Container, d.PodUID, d.Policy), " "), cefCustom))
	x.custom("cn", 1, "individuals", strconv.Itoa(d.Individuals.Point))
	x.custom("cn", 2, "findings", strconv.Itoa(totalOf(d.FindingsTotal, len(d.Findings))))
	x.custom("cn", 3, "notLookedAt", strconv.Itoa(totalOf(d.SkippedTotal, len(d.Skipped))))
	return b.String()
}

// cefName is the event's name for people, the same for all of its kind.
func cefName(d *policy.Decision) string {
	switch outcome(d) {
	case allowed:
		return "Container admitted"
	case denied:
		return "Container refused"
	case ran:
		return "Container ran unadmitted"
	}
	return "phigate: " + d.Kind
}

func cefAction(d *policy.Decision) string {
	return []string{"allowed", "blocked", "observed", "recorded"}[outcome(d)]
}

// cefSeverity is CEF's scale: 0 to 3 low, 4 to 6 medium, 7 and 8 high, 9 and 10
// very high.
func cefSeverity(s policy.Severity) int {
	return map[policy.Severity]int{policy.Critical: 10, policy.High: 8, policy.Medium: 5, policy.Low: 3}[s]
}

// extension writes "key=value key=value".
type extension struct {
	b   *strings.Builder
	any bool
}

func (x *extension) add(key, value string) {
	if value == "" {
		return
	}
	if x.any {
		x.b.WriteByte(' ')
	}
	x.any = true
	x.b.WriteString(key + "=" + cefValue(value))
}

func (x *extension) custom(kind string, n int, label, value string) {
	if value == "" {
		return
	}
	key := kind + strconv.Itoa(n)
	x.add(key, value)
	x.add(key+"Label", label)
}

// cefHeader escapes a header's field: the pipe ends one, the backslash escapes.
// A header has no escape for a line's end, so it becomes a blank.
func cefHeader(s string) string {
	return blankControls(strings.NewReplacer(`\`, `\\`, `|`, `\|`).Replace(s))
}

// cefValue escapes a value: the equals sign begins one, and lines end as \n and
// \r. A pipe needs none there.
func cefValue(s string) string {
	return blankControls(strings.NewReplacer(`\`, `\\`, `=`, `\=`, "\n", `\n`, "\r", `\r`).Replace(s))
}

func blankControls(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s)
}

// cut keeps a value within n bytes, whole characters.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n-3], "") + "..."
}

func filled(all ...string) []string {
	var out []string
	for _, s := range all {
		if s != "" {
			out = append(out, s)
		}
	}
	return out
}

package catalogue

import (
	"fmt"
	"io"
	"strings"

	"github.com/phigate/phigate/policy"
)

// Markdown writes the documentation as DETECTORS.md has it.
func Markdown(w io.Writer, infos []policy.Info) error {
	var b strings.Builder
	b.WriteString("# Detectors\n\nGenerated from the values of the detectors by `go test ./policy/detect/catalogue -update`.\n\n" +
		"Where two actions stand, the second is of containers that mount a volume which a policy declares to hold ePHI (`phiVolumes`).\n\n" +
		"| rule | row | what it finds | severity | action |\n| --- | --- | --- | --- | --- |\n")
	for _, i := range infos {
		fmt.Fprintf(&b, "| [%s](#%s) | %s | %s | %s | %s |\n", i.ID, i.ID, strings.Join(i.Aliases, ", "), i.Title, i.Severity, i.Actions())
	}
	for _, i := range infos {
		fmt.Fprintf(&b, "\n## %s\n\n%s.\n\n%s\n\n", i.ID, i.Title, i.Rationale)
		for _, c := range i.Cites {
			fmt.Fprintf(&b, "- Supports: %s, %s (%s)\n", c, c.Title(), c.Kind())
		}
		fmt.Fprintf(&b, "- Fix: %s\n", i.Fix)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

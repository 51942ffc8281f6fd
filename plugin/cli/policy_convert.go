package cli

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/phigate/phigate/plugin/gitleaks"
	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/config"
)

const convertLong = `Convert writes what another tool is configured with as policies of phigate, to
the standard output, and says on the standard error what could not be converted
or means something else now. A file - is the standard input.

  aqua      policies in the Aqua-style dialect (apiVersion xray.aqua.security/v1),
            which phigate takes as they are, as policies of its own kind with the
            same meaning: they can then have a mode and a selector
  gitleaks  gitleaks' TOML: rules by name as phigate's detectors, rules on paths
            as rules on files, and the paths of allowlists as exceptions. An
            exception needs somebody who asks, somebody else who signs, a reason
            and an end, so without those flags allowlists are not converted.
            Expressions on contents cannot be written in a policy.

It ends with 0, with 3 where --strict is given and something was not converted
exactly, and with 2 where the file is not what it should be.`

// policyConvert is what the command was asked for.
type policyConvert struct {
	from, mode, name, action string
	strict                   bool
	sign                     gitleaks.SignOff
	catalogue                func() []policy.Info
	in                       io.Reader
	out, err                 io.Writer
}

func newConvertCommand(catalogue func() []policy.Info) *cobra.Command {
	c := policyConvert{catalogue: catalogue}
	cmd := &cobra.Command{
		Use:   "convert --from aqua|gitleaks FILE",
		Short: "Write another tool's configuration as policies, and say what is lost",
		Long:  convertLong,
		Example: "  phigate policy convert --from aqua example.yaml > own.yaml\n" +
			"  phigate policy convert --from gitleaks --reason 'Test keys' --requested-by a@clinic.example \\\n" +
			"    --approved-by b@clinic.example --expires-at 2027-01-31T00:00:00Z --namespace ci .gitleaks.toml",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c.in, c.out, c.err = cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr()
			return c.run(args[0])
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&c.from, "from", "", "aqua or gitleaks")
	flags.StringVar(&c.mode, "mode", "enforce", "aqua: the mode that is written, enforce or audit")
	flags.StringVar(&c.name, "name", "gitleaks", "gitleaks: the policy's name")
	flags.StringVar(&c.action, "action", "block", "gitleaks: block, warn or audit")
	flags.BoolVar(&c.strict, "strict", false, "end with 3 where something was not converted exactly")
	flags.StringVar(&c.sign.Reason, "reason", "", "gitleaks: why its allowlists are excepted")
	flags.StringVar(&c.sign.Ticket, "ticket", "", "gitleaks: where that was discussed")
	flags.StringVar(&c.sign.RequestedBy, "requested-by", "", "gitleaks: who asks for the exceptions")
	flags.StringSliceVar(&c.sign.ApprovedBy, "approved-by", nil, "gitleaks: who signs them, somebody else")
	flags.StringVar(&c.sign.ExpiresAt, "expires-at", "", "gitleaks: when they end, such as 2027-01-31T00:00:00Z")
	flags.StringSliceVar(&c.sign.Namespaces, "namespace", nil, "gitleaks: the namespaces in which they hold")
	flags.StringSliceVar(&c.sign.Digests, "digest", nil, "gitleaks: the images for which they hold")
	if err := cmd.MarkFlagRequired("from"); err != nil {
		panic(err) // the flag is defined above
	}
	return cmd
}

func (c *policyConvert) run(name string) error {
	data, err := readOne(name, c.in, gitleaks.MaxSize)
	if err != nil {
		return err
	}
	var text string
	var notes []string
	switch c.from {
	case "aqua":
		text, notes, err = c.aqua(name, data)
	case "gitleaks":
		text, notes, err = c.gitleaks(name, data)
	default:
		return usage("--from %s is not known; it is aqua or gitleaks", policy.Printable(c.from))
	}
	if err != nil {
		return err
	}
	for _, n := range notes {
		if _, err := fmt.Fprintf(c.err, "phigate: %s\n", n); err != nil {
			return err
		}
	}
	if text == "" {
		return usage("nothing of %s could be converted", policy.Printable(name))
	}
	if _, err := io.WriteString(c.out, text); err != nil {
		return err
	}
	if c.strict && len(notes) > 0 {
		return &ExitError{Code: ExitBlocked}
	}
	return nil
}

func (c *policyConvert) aqua(name string, data []byte) (string, []string, error) {
	var mode policy.Mode
	if err := mode.UnmarshalText([]byte(c.mode)); err != nil {
		return "", nil, usage("--mode %s is not known; it is enforce or audit", policy.Printable(c.mode))
	}
	out, notes, problems, err := config.FromDialect(config.File{Name: name, Data: data}, mode, c.catalogue())
	if len(problems) > 0 {
		return "", nil, usage("%w", problems)
	}
	return string(out), notes, err
}

func (c *policyConvert) gitleaks(name string, data []byte) (string, []string, error) {
	o := gitleaks.Options{Name: c.name, Action: c.action, Catalogue: c.catalogue()}
	if c.action != "block" && c.action != "warn" && c.action != "audit" {
		return "", nil, usage("--action %s is not known; it is block, warn or audit", policy.Printable(c.action))
	}
	if s := &c.sign; s.Reason != "" && s.RequestedBy != "" && len(s.ApprovedBy) > 0 && s.ExpiresAt != "" && len(s.Namespaces)+len(s.Digests) > 0 {
		o.Exception = s
	}
	text, lost, err := gitleaks.Convert(data, o)
	if err != nil {
		return "", nil, usage("converting %s: %w", policy.Printable(name), err)
	}
	var notes []string
	for _, n := range lost {
		notes = append(notes, "not converted exactly: "+n.What+": "+n.Why)
	}
	return text, notes, nil
}

// readOne reads a file, or the standard input for "-", of at most so many bytes.
func readOne(name string, stdin io.Reader, limit int64) ([]byte, error) {
	if name == "-" {
		data, err := io.ReadAll(io.LimitReader(stdin, limit+1))
		if err == nil && int64(len(data)) > limit {
			err = fmt.Errorf("it has more than %d bytes", limit)
		}
		if err != nil {
			return nil, usage("reading the standard input: %w", err)
		}
		return data, nil
	}
	if info, err := os.Stat(name); err == nil && !info.Mode().IsRegular() {
		return nil, usage("reading %s: it is not a regular file", policy.Printable(name))
	}
	data, err := readBounded(name, limit)
	if err != nil {
		return nil, usage("reading %s: %s", policy.Printable(name), strings.TrimSpace(err.Error()))
	}
	return data, nil
}

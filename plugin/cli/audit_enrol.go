package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"

	"filippo.io/age"
	"github.com/spf13/cobra"

	"github.com/phigate/phigate/plugin/audit"
	"github.com/phigate/phigate/plugin/origin"
)

const auditEnrolLong = `Enrol gives the macs of this node's decision log to an auditor. It makes the key
that the macs of all later records come from, wraps it, with those that the node had
before, to the auditor's public key, and leaves none of them on the node: from
then on nobody who takes the node over can make the macs of what was logged before.

  --recipient KEY  the auditor's age recipient (an X25519 key, age1...), an SSH public
                   key, or a file with one of these or with an X25519 public key in
                   PEM; may be repeated. Without it an age identity is made and shown,
                   once: keep it off the node

phigated must be stopped meanwhile, and nothing is admitted while it is. Keep what is
printed: the verifier key is what checkpoints are checked by, and witnesses need it.
"phigate audit verify --identity FILE" then checks each mac.`

// auditEnrol is what the command was asked for.
type auditEnrol struct {
	logFlags
	recipients []string
	format     string
}

func newAuditEnrolCommand() *cobra.Command {
	var a auditEnrol
	cmd := &cobra.Command{
		Use: "enrol", Short: "Give the decision log's keys to an auditor", Long: auditEnrolLong,
		Example: "  systemctl stop phigated\n  phigate audit enrol --recipient age1...\n  systemctl start phigated",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if a.format != "text" && a.format != "json" {
				return usage("--format %q: it is text or json", a.format)
			}
			return a.run(cmd)
		},
	}
	a.add(cmd)
	cmd.Flags().StringArrayVar(&a.recipients, "recipient", nil, "an age recipient or SSH public `KEY` of the auditor, or a file with a key; may be repeated")
	cmd.Flags().StringVar(&a.format, "format", "text", "text or json")
	return cmd
}

func (a *auditEnrol) run(cmd *cobra.Command) error {
	dir, err := a.dir(cmd)
	if err != nil {
		return err
	}
	recipients, identity, err := a.auditor()
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), nil))
	e, err := audit.Enrol(dir, func(text []byte) ([]byte, error) { return wrapTo(recipients, text) },
		audit.Options{Log: log, Stamp: origin.Read(cmd.Root().Version, "", log).Stamp})
	if err != nil {
		return fmt.Errorf("%w; is phigated stopped? (systemctl stop phigated)", explainAudit(err, dir))
	}
	out := cmd.OutOrStdout()
	if a.format == "json" {
		return json.NewEncoder(out).Encode(struct {
			*audit.Enrolled
			Identity string `json:"identity,omitempty"`
		}{e, identity})
	}
	fmt.Fprintf(out, "log        %s\nverifier   %s\nkeys       %s/%s, for the auditor alone, from epoch %d on\n", e.Log, e.Verifier, dir, e.File, e.Epoch)
	if identity != "" {
		fmt.Fprintf(out, "identity   %s\n           It is shown this once. Keep it off this node: without it no mac can be checked.\n", identity)
	}
	return nil
}

// auditor is who the keys are wrapped to; without a recipient, somebody new.
func (a *auditEnrol) auditor() (recipients []age.Recipient, identity string, err error) {
	if len(a.recipients) == 0 {
		id, err := age.GenerateX25519Identity()
		if err != nil {
			return nil, "", fmt.Errorf("making an identity: %w", err)
		}
		return []age.Recipient{id.Recipient()}, id.String(), nil
	}
	for _, text := range a.recipients {
		r, err := parseRecipient(text)
		if err != nil {
			return nil, "", usage("--recipient is neither an age recipient (age1...) nor an SSH public key nor a file with one, or with an X25519 key in PEM: %w", err)
		}
		recipients = append(recipients, r)
	}
	return recipients, "", nil
}

func wrapTo(recipients []age.Recipient, text []byte) ([]byte, error) {
	var out bytes.Buffer
	w, err := age.Encrypt(&out, recipients...)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(text); err != nil {
		return nil, err
	}
	err = w.Close()
	return out.Bytes(), err
}

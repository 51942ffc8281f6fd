package cli

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/phigate/phigate/plugin/audit"
	"github.com/phigate/phigate/plugin/report/period"
	"github.com/phigate/phigate/policy"
)

// proofFlags are what logs are held against, besides themselves.
type proofFlags struct{ checkpoints, keys, witnesses []string }

func (p *proofFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringArrayVar(&p.checkpoints, "checkpoint", nil, "a checkpoint that was kept elsewhere, a `FILE`; may be repeated")
	flags.StringArrayVar(&p.keys, "key", nil, "a log's verifier key; may be repeated")
	flags.StringArrayVar(&p.witnesses, "witness", nil, "a witness's verifier `KEY`, whose cosignature each checkpoint carries; may be repeated")
}

// of verifies the log of a name in a folder.
func (p *proofFlags) of(ctx context.Context, dir, name string) (period.Proof, error) {
	options, err := p.options(dir, name)
	if err != nil {
		return period.Proof{}, err
	}
	v, err := audit.Verify(ctx, dir, options)
	if err != nil {
		return period.Proof{}, err
	}
	return proofOf(v, options.Checkpoints), nil
}

// options are the flags that are about one log: a checkpoint begins with the
// log's name, and so does a verifier key.
func (p *proofFlags) options(dir, name string) (audit.VerifyOptions, error) {
	all := auditVerify{witnesses: p.witnesses}
	for _, key := range p.keys {
		if strings.HasPrefix(key, name+"+") {
			all.key = key
		}
	}
	for _, path := range p.checkpoints {
		data, err := readGiven("checkpoint", path)
		if err != nil {
			return audit.VerifyOptions{}, err
		}
		if bytes.HasPrefix(data, []byte(name+"\n")) {
			all.checkpoints = append(all.checkpoints, path)
		}
	}
	return all.options(dir)
}

// proofOf is what a report says of a verification, given checkpoints from
// elsewhere. One of those says more than the log's own, which a person with root
// could have made anew with the log.
func proofOf(v *audit.Verified, given []audit.NamedNote) period.Proof {
	out := period.Proof{Verified: v.OK(), UpTo: v.Last, Root: v.Root, Witnesses: []string{}}
	out.Checked = "numbers without a gap, checksums, hash tree"
	if v.Macs > 0 {
		out.Checked += ", macs"
	}
	var newest audit.CheckedCheckpoint
	kept := false
	for _, c := range v.Checkpoints {
		isGiven := slices.ContainsFunc(given, func(n audit.NamedNote) bool { return n.From == c.From })
		if c.OK && (isGiven && !kept || isGiven == kept && c.Size > newest.Size) {
			newest, kept = c, isGiven
		}
	}
	switch {
	case newest.Size == 0:
	case kept:
		out.Checkpoint = fmt.Sprintf("covers numbers up to %d, kept elsewhere: %s", newest.Size, filepath.Base(newest.From))
	default:
		out.Checkpoint = fmt.Sprintf("covers numbers up to %d, the log's own: a person with root could have made both anew", newest.Size)
	}
	out.Witnesses = append(out.Witnesses, newest.Witnesses...)
	if !v.OK() {
		first := v.Problems[0]
		out.Problem = policy.Printable(fmt.Sprintf("%s at number %d: %s", first.Kind, first.Seq, first.Text))
	}
	return out
}

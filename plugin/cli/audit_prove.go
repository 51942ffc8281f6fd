package cli

import (
	"errors"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/phigate/phigate/plugin/audit"
)

const auditProveLong = `Prove writes a proof that one decision is in the log: its place, the hashes that
lead from it to the root of the tree, and the checkpoint that signs the root
(C2SP tlog-proof). Whoever has the log's verifier key can check it with any
implementation of that format, without phigate and without the rest of the log.
The record itself is what "phigate audit export" gives, with the hash of its leaf.

A proof has 45 bytes for each doubling of the log and some 250 besides, with a
checkpoint that no witness has signed: at most 1,018 bytes in a log of up to 131,072
records, 1,154 in one of a million. It has 32 more where a log of an earlier version
goes on, whose ID is longer, and 110 and its name for each witness that has signed.`

func newAuditProveCommand() *cobra.Command {
	var log logFlags
	var checkpoint, key string
	cmd := &cobra.Command{
		Use: "prove SEQ", Short: "Prove that a decision is in the log", Long: auditProveLong,
		Example: "  phigate audit prove 4711 > 4711.tlog-proof",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			seq, err := strconv.ParseUint(args[0], 10, 63)
			if err != nil || seq == 0 {
				return usage("%q is not the number of a decision: the first column of `phigate decisions`", args[0])
			}
			dir, err := log.dir(cmd)
			if err != nil {
				return err
			}
			var signed []byte
			if checkpoint != "" {
				if signed, err = readGiven("checkpoint", checkpoint); err != nil {
					return err
				}
			}
			proof, err := audit.Prove(cmd.Context(), dir, seq, signed, key)
			if errors.Is(err, audit.ErrUncovered) {
				return usage("%w; phigated signs one each second: try again, or give a later one with --checkpoint", err)
			}
			if err != nil {
				return explainAudit(err, dir)
			}
			_, err = cmd.OutOrStdout().Write(proof)
			return err
		},
	}
	log.add(cmd)
	cmd.Flags().StringVar(&checkpoint, "checkpoint", "", "the checkpoint to lead to, a `FILE` (default: the log's newest)")
	cmd.Flags().StringVar(&key, "key", "", "the log's verifier key (default: the one in its folder)")
	return cmd
}

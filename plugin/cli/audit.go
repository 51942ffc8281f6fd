package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/phigate/phigate/plugin/audit"
	"github.com/phigate/phigate/plugin/conf"
)

const auditLong = `Audit works on the decision log, for those who must be able to rely on it.

The log is a Merkle tree of records, each with a mac whose key is gone once it is
made. Checkpoints sign what it holds; one that is kept off the node, by a witness,
a registry, a file or the journal of another host, proves later that no record it
covers was changed, left out or put in, whoever has been root on the node since.
What is newer than the last such checkpoint, root could have changed.`

func newAuditCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "audit", Short: "Verify, prove and export the decision log", Long: auditLong,
		Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newAuditVerifyCommand(), newAuditProveCommand(), newAuditWitnessCommand(), newAuditEnrolCommand(), newAuditReconcileCommand(), newExportCommand())
	return cmd
}

// logFlags say which log a command is about.
type logFlags struct {
	folder, stateDir, config string
	isExplicit               bool
}

func (f *logFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.folder, "log", "", "the log's folder, or the state folder that it is in, a copy for example (default: the configuration's)")
	flags.StringVar(&f.stateDir, "state-dir", "", "phigated's state folder (default: the configuration's)")
	flags.StringVar(&f.config, "config", conf.DefaultPath, "phigated's configuration")
}

// dir is the folder of the log that was named.
func (f *logFlags) dir(cmd *cobra.Command) (string, error) {
	if f.folder != "" {
		if inner := (conf.Config{StateDir: f.folder}).Log(); isFolder(inner) {
			return inner, nil
		}
		return f.folder, nil
	}
	d := decisions{stateDir: f.stateDir, config: f.config, isExplicit: cmd.Flags().Changed("config")}
	state, err := d.state()
	if err != nil {
		return "", err
	}
	return conf.Config{StateDir: state}.Log(), nil
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// maxGiven bounds a key or a checkpoint that is named on the command line, in bytes.
const maxGiven = 1 << 20

// readGiven reads a small file that was named.
func readGiven(what, path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, usage("reading %s: %w", what, err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxGiven+1))
	if err == nil && len(data) > maxGiven {
		err = fmt.Errorf("%s has more than %d bytes", path, maxGiven)
	}
	if err != nil {
		return nil, usage("reading %s: %w", what, err)
	}
	return data, nil
}

// explainAudit adds the next step to what looking at a log can meet.
func explainAudit(err error, dir string) error {
	var foreign *audit.ForeignError
	switch {
	case errors.As(err, &foreign):
		return &ExitError{ExitUsage, err}
	case errors.Is(err, syscall.ENOTDIR):
		return usage("no decision log at %s: it is a file: name the folder that holds the log's segments", dir)
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission):
		return explainLog(err, dir)
	}
	return err
}

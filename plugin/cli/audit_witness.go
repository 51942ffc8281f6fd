package cli

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	cosign "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"

	"github.com/phigate/phigate/plugin/audit"
	"github.com/phigate/phigate/plugin/audit/witness"
)

const auditWitnessLong = `Witness runs a witness (C2SP tlog-witness), on a host where whoever is root on the
nodes is not. It signs the checkpoints of the logs that it is given, each only when
it is consistent with the one it signed before: a log that was rolled back, changed
or doubled gets no signature any more, and its phigated raises an alarm.

It keeps no records: one checkpoint for each log, in --state. That folder is what
its word rests on: do not restore it from a backup. Its key is made there at the
first start. The verifier key that it prints goes into each node's phigate.yaml:

  audit:
    witnesses:
      - {url: "https://witness.example:8443", key: "witness.example+..."}

A log's verifier key stands in its folder, in the file verifier. Requests need no
authentication, a signature of the log is in each; TLS keeps them from being read.`

// auditWitness is what the command was asked for.
type auditWitness struct {
	listen, state, name, cert, key string
	logs                           []string
}

func newAuditWitnessCommand() *cobra.Command {
	var a auditWitness
	cmd := &cobra.Command{
		Use: "witness", Short: "Run a witness of other nodes' decision logs", Long: auditWitnessLong,
		Example: "  phigate audit witness --state /var/lib/phigate-witness --name witness.example --log node1.verifier --log node2.verifier",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.run(cmd) },
	}
	flags := cmd.Flags()
	flags.StringVar(&a.listen, "listen", "127.0.0.1:8443", "the `ADDRESS` to listen on")
	flags.StringVar(&a.state, "state", "/var/lib/phigate-witness", "the `FOLDER` of its key and of what it signed")
	flags.StringVar(&a.name, "name", "", "its name, as a URL without scheme: needed at the first start")
	flags.StringArrayVar(&a.logs, "log", nil, "a log's verifier key, or a `FILE` with it; may be repeated")
	flags.StringVar(&a.cert, "tls-cert", "", "serve TLS with this certificate `FILE`")
	flags.StringVar(&a.key, "tls-key", "", "the certificate's key, a `FILE`")
	return cmd
}

func (a *auditWitness) run(cmd *cobra.Command) error {
	if len(a.logs) == 0 || (a.cert == "") != (a.key == "") {
		return usage("a witness needs a --log, and --tls-cert goes with --tls-key; see: phigate audit witness --help")
	}
	skey, vkey, err := a.identity()
	if err != nil {
		return err
	}
	signer, err := cosign.NewSignerForCosignatureV1(skey)
	if err != nil {
		return errors.New("reading the witness's key: it is not a note key (it is not shown)")
	}
	var logs []note.Verifier
	for _, given := range a.logs {
		v, err := readVerifier(given)
		if err != nil {
			return err
		}
		logs = append(logs, v)
	}
	log := slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), nil))
	server, err := witness.NewServer(signer, logs, a.state, log)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", a.listen)
	if err != nil {
		return usage("listening: %w", err)
	}
	fmt.Fprintf(cmd.OutOrStdout(), "witness of %s, at %s, verifier key:\n%s\n", count(len(logs), "log"), listener.Addr(), vkey)
	return a.serve(cmd.Context(), listener, server)
}

func (a *auditWitness) serve(ctx context.Context, l net.Listener, h http.Handler) error {
	s := &http.Server{Handler: h, ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10}
	stop := context.AfterFunc(ctx, func() {
		ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		s.Shutdown(ending) //nolint:errcheck // what is not done by then is cut off
	})
	defer stop()
	var err error
	if a.cert != "" {
		err = s.ServeTLS(l, a.cert, a.key)
	} else {
		err = s.Serve(l)
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// identity reads the witness's key, or makes one.
func (a *auditWitness) identity() (skey, vkey string, err error) {
	path := filepath.Join(a.state, "witness.key")
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return a.newIdentity(path)
	case err != nil:
		return "", "", err
	case info.Mode().Perm()&0o077 != 0:
		return "", "", fmt.Errorf("%s is open to others than its owner (mode %04o): chmod go-rwx it; if somebody may have read it, make another key", path, info.Mode().Perm())
	}
	data, err := readGiven("the witness's key", path)
	if err != nil {
		return "", "", err
	}
	lines := strings.Fields(string(data))
	if len(lines) != 2 {
		return "", "", fmt.Errorf("reading the witness's key: %s has not two lines", path)
	}
	return lines[0], lines[1], nil
}

func (a *auditWitness) newIdentity(path string) (skey, vkey string, err error) {
	if a.name == "" || strings.ContainsAny(a.name, "+ \t\n") {
		return "", "", usage("a witness that has no key yet needs a --name without spaces and without +, such as witness.example")
	}
	skey, vkey, err = note.GenerateKey(rand.Reader, a.name)
	if err != nil {
		return "", "", fmt.Errorf("making the witness's key: %w", err)
	}
	if vkey, err = cosign.VKeyToCosignatureV1(vkey); err != nil {
		return "", "", fmt.Errorf("making the witness's key: %w", err)
	}
	if err := os.MkdirAll(a.state, 0o700); err != nil {
		return "", "", fmt.Errorf("making the witness's folder: %w", err)
	}
	return skey, vkey, writeNew(path, []byte(skey+"\n"+vkey+"\n"))
}

// writeNew writes a secret to a file that is not there yet, durably.
func writeNew(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}

// readVerifier reads a verifier key that stands on the command line, or in a file.
func readVerifier(given string) (note.Verifier, error) {
	text := given
	if _, err := os.Stat(given); err == nil {
		data, err := readGiven("a log's verifier key", given)
		if err != nil {
			return nil, err
		}
		text = strings.TrimSpace(string(data))
	}
	v, err := audit.NewVerifier(text)
	if err != nil {
		return nil, usage("%s is neither a log's verifier key nor a file with one: it stands in the log's folder, in the file verifier", given)
	}
	return v, nil
}

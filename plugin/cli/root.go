// Package cli holds the commands of phigate. Each is built by a function that
// takes what it needs and writes to the streams it is given, so that the test
// binary is the command.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/phigate/phigate/plugin/inspect"
)

// Exit codes, the same for every command.
const (
	ExitClean    = 0
	ExitInternal = 1
	ExitUsage    = 2 // usage or invalid input
	ExitBlocked  = 3 // violations that block
	ExitTampered = 4 // the log was tampered with
)

// ExitError is an error that ends the program with a code of its own. With a
// nil Err the command has said all there is to say.
type ExitError struct {
	Code int
	Err  error
}

func (e *ExitError) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("exit code %d", e.Code)
	}
	return e.Err.Error()
}

func (e *ExitError) Unwrap() error { return e.Err }

// usage is an error about what was typed or handed in, with its next step.
func usage(format string, args ...any) error {
	return &ExitError{ExitUsage, fmt.Errorf(format, args...)}
}

// Main runs a command line, without the program's name, and returns the exit
// code. The version is the one that the build gives.
func Main(args []string, version string, stdout, stderr io.Writer) int {
	root := NewRoot(version)
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	// The first signal ends what listens to the context, the second the program.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	return exitCode(root.ExecuteContext(ctx), stderr)
}

// exitCode prints an error and says which code it ends with: its own, and where
// it brings none it is cobra's, about usage, since codeErrors gives one to all
// that commands return.
func exitCode(err error, stderr io.Writer) int {
	if err == nil {
		return ExitClean
	}
	code := ExitUsage
	var exit *ExitError
	if errors.As(err, &exit) {
		if exit.Err == nil {
			return exit.Code
		}
		code = exit.Code
	}
	fmt.Fprintf(stderr, "phigate: %v\n", err)
	return code
}

// NewRoot is the command phigate with all that is below it.
func NewRoot(version string) *cobra.Command {
	root := &cobra.Command{
		Use:           "phigate",
		Short:         "A gate in front of containers that may touch protected health information",
		Version:       version,
		Args:          cobra.NoArgs,
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetVersionTemplate("phigate {{.Version}}\n")
	root.AddCommand(
		newScanCommand(),
		newPolicyCommand(inspect.Catalogue),
		newRulesCommand(inspect.Catalogue),
		newDecisionsCommand(),
		newExceptionsCommand(inspect.Catalogue),
		newAuditCommand(),
		newReportCommand(),
		newStatusCommand(),
		newDoctorCommand(),
		newInstallCommand(),
		newUninstallCommand(),
	)
	for _, cmd := range root.Commands() {
		codeErrors(cmd)
	}
	return root
}

// codeErrors gives the errors of a command, and of those below it, the code for
// internal errors where they bring none. What cobra itself objects to never
// comes from RunE, and stays usage.
func codeErrors(cmd *cobra.Command) {
	if run := cmd.RunE; run != nil {
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			err := run(cmd, args)
			var exit *ExitError
			if err == nil || errors.As(err, &exit) {
				return err
			}
			return &ExitError{ExitInternal, err}
		}
	}
	for _, child := range cmd.Commands() {
		codeErrors(child)
	}
}

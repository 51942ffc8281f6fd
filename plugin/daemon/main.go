package daemon

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/phigate/phigate/plugin/conf"
)

// The exit codes that all of phigate's commands share.
const (
	exitOK       = 0
	exitInternal = 1
	exitUsage    = 2
)

// Main runs phigated with its arguments until SIGTERM or SIGINT and returns the
// exit code. SIGHUP loads the policy again.
func Main(args []string, version string, stderr io.Writer) int {
	flags := flag.NewFlagSet("phigated", flag.ContinueOnError)
	flags.SetOutput(stderr)
	path := flags.String("config", conf.DefaultPath, "the configuration `FILE`")
	debug := flags.Bool("debug", false, "log more")
	show := flags.Bool("version", false, "print the version and exit")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return exitOK
	} else if err != nil {
		return exitUsage
	}
	if flags.NArg() > 0 {
		fmt.Fprintf(stderr, "phigated: it takes no arguments, and was given %q; see: phigated --help\n", flags.Arg(0))
		return exitUsage
	}
	if *show {
		fmt.Fprintln(stderr, "phigated", version)
		return exitOK
	}
	if err := keepMemory(); err != nil {
		fmt.Fprintf(stderr, "phigated: %v\n", err)
		return exitInternal
	}
	config, err := conf.Load(*path)
	if err != nil {
		fmt.Fprintf(stderr, "phigated: %v\n", err)
		return exitUsage
	}
	d := &Daemon{Config: config, Version: version, Log: logger(stderr, *debug)}
	if err := runUntilSignal(d); err != nil {
		fmt.Fprintf(stderr, "phigated: %v\n", err)
		return exitInternal
	}
	return exitOK
}

func runUntilSignal(d *Daemon) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	return d.Run(ctx, hangup)
}

func logger(w io.Writer, debug bool) *slog.Logger {
	level := slog.LevelInfo
	if debug {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: level}))
}

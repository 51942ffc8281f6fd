package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/config"
)

const fmtLong = `Fmt writes policy files in their canonical form: two spaces for each level, one
form of quotes, comments kept where they stand. It never changes what a policy
means; what it wrote is read again and compared. Without a flag the result goes
to the standard output. A file - is the standard input.

With --repair it rebuilds indentation that was lost, as it is when a policy is
copied from a web page: the schema says which key can stand below which. Where
the lines can be read in two ways it refuses and says which.

It ends with 0, with 2 where a file is no policy that can be read (or, with
--check, is not in canonical form), and with 1 on errors of this machine.`

// policyFmt is what the command was asked for.
type policyFmt struct {
	write, check, repair bool
	catalogue            func() []policy.Info
	in                   io.Reader
	out, err             io.Writer
}

func newFmtCommand(catalogue func() []policy.Info) *cobra.Command {
	f := policyFmt{catalogue: catalogue}
	cmd := &cobra.Command{
		Use:     "fmt FILE|DIR...",
		Short:   "Write policy files in their canonical form, or rebuild their lost indentation",
		Long:    fmtLong,
		Example: "  phigate policy fmt --write /etc/phigate/policies.d\n  phigate policy fmt --repair pasted.yaml > clinic.yaml",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			f.in, f.out, f.err = cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr()
			return f.run(args)
		},
	}
	cmd.Flags().BoolVar(&f.write, "write", false, "write the files themselves, where they differ")
	cmd.Flags().BoolVar(&f.check, "check", false, "name the files that differ, write nothing, and end with 2 if there are any")
	cmd.Flags().BoolVar(&f.repair, "repair", false, "rebuild the indentation from what the keys are")
	cmd.MarkFlagsMutuallyExclusive("write", "check")
	cmd.MarkFlagsMutuallyExclusive("repair", "check")
	return cmd
}

func (f *policyFmt) run(args []string) error {
	files, err := readWritten(args, f.in)
	if err != nil {
		return err
	}
	if !f.write && !f.check && len(files) > 1 {
		return usage("several files are formatted with --write or --check; without them, name one")
	}
	differ, bad := 0, 0
	for _, file := range files {
		out, problems, err := f.format(file)
		switch {
		case err != nil:
			return err
		case len(problems) > 0:
			bad++
			if err := writeProblems(f.err, problems); err != nil {
				return err
			}
		case !bytes.Equal(out, file.Data):
			differ++
			err = f.answer(file, out)
		case !f.write && !f.check:
			_, err = f.out.Write(out)
		}
		if err != nil {
			return err
		}
	}
	switch {
	case bad > 0 && f.repair:
		return usage("nothing was repaired in %s", count(bad, "file"))
	case bad > 0:
		return usage("%s cannot be read, so nothing of it was formatted; for lost indentation there is `phigate policy fmt --repair FILE`", count(bad, "file"))
	case f.check && differ > 0:
		return usage("%s not in canonical form; `phigate policy fmt --write` writes it", count(differ, "file"))
	}
	return nil
}

// format is the canonical or the repaired text. That formatting kept the
// meaning is asserted twice: by package config on every value, and here on what
// would be in force.
func (f *policyFmt) format(file config.File) ([]byte, config.Problems, error) {
	if f.repair {
		return config.Repair(file, f.catalogue())
	}
	out, problems, err := config.Format(file)
	if err != nil || len(problems) > 0 {
		return nil, problems, err
	}
	before, _ := config.Compile([]config.File{file}, f.catalogue())
	if before == nil {
		return out, nil, nil // nothing of it would be in force
	}
	changes, problems := config.Diff([]config.File{file}, []config.File{{Name: file.Name, Data: out}}, f.catalogue())
	if len(changes)+len(problems) > 0 {
		return nil, nil, fmt.Errorf("formatting %s would change what is in force, so it is left as it is; please report this file", policy.Printable(file.Name))
	}
	return out, nil, nil
}

// answer is what becomes of a file that differs from its canonical form.
func (f *policyFmt) answer(file config.File, out []byte) error {
	switch {
	case f.check:
		_, err := fmt.Fprintln(f.out, policy.Printable(file.Name))
		return err
	case f.write && file.Name == "stdin":
		return usage("--write needs a file, and here is the standard input")
	case f.write:
		if err := replace(file.Name, out); err != nil {
			return err
		}
		_, err := fmt.Fprintln(f.out, policy.Printable(file.Name))
		return err
	}
	_, err := f.out.Write(out)
	return err
}

// replace writes a file anew, whole or not at all, with the mode that it had.
func replace(path string, data []byte) (err error) {
	path, err = filepath.EvalSymlinks(path)
	if err != nil {
		return fmt.Errorf("writing: %w", err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("writing: %w", err)
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".phigate-fmt-*")
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, reason(err))
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("writing %s: %w", path, err), os.Remove(tmp.Name()))
		}
	}()
	_, err = tmp.Write(data)
	if owner, ok := info.Sys().(*syscall.Stat_t); ok {
		err = errors.Join(err, tmp.Chown(int(owner.Uid), int(owner.Gid)))
	}
	if err = errors.Join(err, tmp.Chmod(info.Mode().Perm()), tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}

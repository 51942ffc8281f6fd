package cli

import (
	"bufio"
	"context"
	"errors"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/phigate/phigate/plugin/report"
	"github.com/phigate/phigate/plugin/report/export"
)

const exportLong = `Export writes the records of the decision log for other systems, each with the
log's ID, its place and the hash of its leaf, so that what a system holds can be
compared with the log later. The same record always gives the same bytes.

  json   our own shape, one record a line
  ecs    Elastic Common Schema 9.4, for Elasticsearch
  ocsf   Open Cybersecurity Schema Framework 1.8: compliance findings (2003), data
         security findings (2006), base events; one line for each rule found
  fhir   AuditEvent of HL7 FHIR R4 in the shape of IHE BALP, as NDJSON
  cef    ArcSight Common Event Format

--seq takes one number, or a range: 17, 17-, 17-30.`

// exporting is what the command was asked for.
type exporting struct {
	stretch
	logFlags
	format string
	seq    string
}

// newExportCommand is `phigate audit export`.
func newExportCommand() *cobra.Command {
	var x exporting
	cmd := &cobra.Command{
		Use:     "export",
		Short:   "Write the log's records for other systems",
		Long:    exportLong,
		Example: "  phigate audit export --format ecs --from 2026-11-01 > november.ndjson\n  phigate audit export --format fhir --seq 4711",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, err := x.dir(cmd)
			if err != nil {
				return err
			}
			return x.run(cmd.Context(), dir, cmd.OutOrStdout())
		},
	}
	x.add(cmd)
	flags := cmd.Flags()
	flags.StringVar(&x.format, "format", "json", oneOf(export.Formats()))
	flags.StringVar(&x.from, "from", "", "the first day or moment")
	flags.StringVar(&x.to, "to", "", "the last day, or the moment before which it ends")
	flags.StringVar(&x.seq, "seq", "", "only this record, or these: 17, 17-, 17-30")
	return cmd
}

// errEnough ends the reading of the log behind the last record that is wanted.
var errEnough = errors.New("enough")

func (x *exporting) run(ctx context.Context, dir string, out io.Writer) error {
	write, ok := export.To(x.format)
	if !ok {
		return usage("--format %q: it is %s", x.format, oneOf(export.Formats()))
	}
	from, to, err := x.times()
	if err != nil {
		return err
	}
	first, last, err := seqRange(x.seq)
	if err != nil {
		return err
	}
	buffered := bufio.NewWriter(out)
	err = eachEntry(ctx, dir, first, func(e report.Entry) error {
		switch {
		case last > 0 && e.Seq > last:
			return errEnough
		case !holds(from, to, e.Time):
			return nil
		}
		return write(buffered, e)
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return errors.Join(explainAudit(explainLog(err, dir), dir), buffered.Flush())
}

// seqRange reads "17", "17-" and "17-30"; a last of 0 is the log's end.
func seqRange(text string) (first, last uint64, err error) {
	if text == "" {
		return 1, 0, nil
	}
	low, high, isRange := strings.Cut(text, "-")
	first, err = strconv.ParseUint(low, 10, 64)
	switch {
	case err != nil || first == 0:
	case !isRange:
		return first, first, nil
	case high == "":
		return first, 0, nil
	default:
		if last, err = strconv.ParseUint(high, 10, 64); err == nil && last >= first {
			return first, last, nil
		}
	}
	return 0, 0, usage("--seq %q: it is a record's number, or a range: 17, 17-, 17-30", text)
}

package phi

import "github.com/phigate/phigate/policy/detect"

// database reads the tables of one file: what one of them says of a person and what
// another does are put together.
type database struct{ join join }

func openDatabase(string) detect.Database { return &database{join{also: true}} }

// Table implements [detect.Database].
func (d *database) Table(m detect.TableMeta, s *detect.Sink) detect.RowReader {
	t := &rows{sink: s, context: contextOfPath(m.Path, ""), join: &d.join}
	t.context.joins = true
	return t.begin(m)
}

// Close implements [detect.Database].
func (d *database) Close(s *detect.Sink) { d.join.close(s) }

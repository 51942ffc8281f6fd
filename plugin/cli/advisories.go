package cli

import (
	"context"
	"fmt"

	"github.com/phigate/phigate/plugin/conf"
	"github.com/phigate/phigate/plugin/inspect"
)

// known reads the advisories that were named, or that the node's
// configuration names, and gives them to what judges files.
func (s *scan) known(ctx context.Context, node conf.Config) (func(*inspect.Files), error) {
	paths := s.advisories
	if len(paths) == 0 && s.isExplicit {
		paths = node.Vulnerabilities
	}
	if len(paths) == 0 {
		return func(*inspect.Files) {}, nil
	}
	database, err := conf.ReadAdvisories(ctx, paths)
	if database == nil {
		return nil, &ExitError{ExitUsage, err}
	}
	s.note([]string{fmt.Sprintf("software is compared with %d advisories%s", database.Advisories(), database.Note())})
	trouble := ""
	if err != nil {
		trouble = err.Error()
	}
	return func(f *inspect.Files) { f.SetAdvisories(database, trouble) }, nil
}

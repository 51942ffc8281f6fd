package doctor

import (
	"context"

	"github.com/phigate/phigate/plugin/conf"
)

// Canary is replaced below.
func Canary(ctx context.Context, c conf.Config) []Check { return nil }

package handover

import "context"

func (d *Door) docker(ctx context.Context, c *container) error { return d.files(ctx, c, nil) }

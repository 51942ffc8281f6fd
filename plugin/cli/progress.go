package cli

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/phigate/phigate/plugin/cli/target"
)

// progress is the bar that a person sees on a terminal; elsewhere there is none.
type progress struct {
	bar     *progressbar.ProgressBar
	isKnown bool  // how much there is to read
	before  int64 // bytes of the layers that are done
	now     int64 // bytes of this one
}

func newProgress(w io.Writer, isQuiet bool, t *target.Target) *progress {
	p := &progress{isKnown: t.Size > 0}
	f, ok := w.(*os.File)
	if isQuiet || !ok || !term.IsTerminal(int(f.Fd())) {
		return p
	}
	size := int64(-1)
	if p.isKnown {
		size = t.Size
		t.OnRead = func(n int64) { p.set(p.now + n) }
	}
	p.bar = progressbar.NewOptions64(size, progressbar.OptionSetWriter(f), progressbar.OptionSetDescription("scanning"),
		progressbar.OptionShowBytes(true), progressbar.OptionSetWidth(24), progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionClearOnFinish())
	return p
}

// set goes to n bytes of all. The bar takes no more than its size.
func (p *progress) set(n int64) {
	p.now = n
	if p.isKnown {
		n = min(n, p.bar.GetMax64()-1) // the end is when all layers are done
	}
	_ = p.bar.Set64(n) // a terminal that went away is no reason to stop
}

// layer begins the layer with the number.
func (p *progress) layer(number, of int) {
	if p.bar == nil {
		return
	}
	p.before = p.now
	if of > 1 {
		p.bar.Describe(fmt.Sprintf("scanning layer %d of %d", number, of))
	}
}

// files is told by the scanner; it counts where nothing else does.
func (p *progress) files(_, bytes int64) {
	if p.bar != nil && !p.isKnown {
		p.set(p.before + bytes)
	}
}

// end leaves the line empty for the report.
func (p *progress) end() {
	if p.bar != nil {
		_ = p.bar.Clear()
	}
}

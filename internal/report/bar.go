package report

import (
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// barInterval is the time between two updates of the progress bar.
const barInterval = 100 * time.Millisecond

// bar is a progress bar in bytes. A nil *bar shows nothing.
type bar struct{ *progressbar.ProgressBar }

// newBar returns nil unless total is known and out is a terminal.
func newBar(out io.Writer, total int64) *bar {
	f, ok := out.(*os.File)
	if total <= 0 || !ok || !term.IsTerminal(int(f.Fd())) {
		return nil
	}
	b := &bar{progressbar.NewOptions64(total,
		progressbar.OptionSetWriter(out),
		progressbar.OptionShowBytes(true),
		progressbar.OptionShowCount(),
		progressbar.OptionShowTotalBytes(true),
		progressbar.OptionUseIECUnits(true),
		progressbar.OptionSetPredictTime(true),
		progressbar.OptionSetWidth(30),
		progressbar.OptionThrottle(0),
	)}
	b.StartWithoutRender() // else its clock starts when it is first drawn, and the rate is too high
	return b
}

// A bar that cannot be drawn is no reason to stop: errors are ignored.

func (b *bar) set(done uint64) {
	if b != nil {
		b.Set64(min(int64(done), b.GetMax64()))
	}
}

// clear makes room for a line of text.
func (b *bar) clear() {
	if b != nil {
		b.Clear()
	}
}

// finish draws the bar for the last time and ends its line.
func (b *bar) finish(done uint64) {
	if b != nil {
		b.set(done)
		io.WriteString(os.Stderr, "\n")
	}
}

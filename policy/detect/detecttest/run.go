// Package detecttest proves detectors: [Accept] gives each the tests that all
// must pass, [Run] runs one over bytes.
package detecttest

import (
	"crypto/hmac"
	"crypto/sha256"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/detect"
)

// Result is what a detector found in one file.
type Result struct {
	Finding *policy.Finding
	Skipped []policy.Skipped
}

// Run gives the detector a file in windows of the given sizes, in turn; without
// sizes in one window.
func Run(d detect.Detector, path string, content []byte, sizes ...int) Result {
	if len(sizes) == 0 {
		sizes = []int{len(content)}
	}
	var windows []detect.Window
	for off, i := 0, 0; off < len(content); i++ {
		n := min(max(1, sizes[i%len(sizes)]), len(content)-off)
		windows = append(windows, detect.Window{Off: int64(off), Data: content[off : off+n]})
		off += n
	}
	return RunWindows(d, path, int64(len(content)), windows)
}

// RunWindows gives the detector a file of the given size in these windows. Each
// is overwritten after its call, since a reader may not keep it.
func RunWindows(d detect.Detector, path string, size int64, windows []detect.Window) Result {
	sink := detect.NewSink(keyed)
	meta := detect.Meta{Path: path, Size: size, Head: head(windows)}
	reader := d.Open(meta, sink)
	clear(meta.Head)
	if reader == nil {
		return Result{}
	}
	for _, w := range windows {
		data := append([]byte(nil), w.Data...)
		reader.Window(detect.Window{Off: w.Off, Data: data})
		clear(data)
	}
	reader.Close()
	finding, skipped := sink.Result()
	return Result{finding, skipped}
}

// head is the file's beginning, with zeros where it has holes.
func head(windows []detect.Window) []byte {
	out := make([]byte, 0, detect.HeadBytes)
	for _, w := range windows {
		if w.Off >= detect.HeadBytes {
			break
		}
		for int64(len(out)) < w.Off {
			out = append(out, 0)
		}
		out = append(out, w.Data[:min(len(w.Data), detect.HeadBytes-len(out))]...)
	}
	return out
}

// keyed makes fingerprints under a key that is no secret.
func keyed(identity []byte) [16]byte {
	mac := hmac.New(sha256.New, []byte("detecttest"))
	mac.Write(identity)
	return [16]byte(mac.Sum(nil))
}

//go:build !amd64

package prefilter

func hasVector() bool { return false }

func scanVector(f *filter, data []byte, at int) (int, uint32) { return f.scan(data, at) }

//go:build linux

package prefilter

import (
	"syscall"
	"testing"
)

// Find must not read beyond the data: a page that may not be read follows it.
func TestFindStaysInside(t *testing.T) {
	page := syscall.Getpagesize()
	mem, err := syscall.Mmap(-1, 0, 2*page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = syscall.Munmap(mem) }()
	if err := syscall.Mprotect(mem[page:], syscall.PROT_NONE); err != nil {
		t.Fatal(err)
	}
	sets := ways(t, small)
	for size := range 300 {
		data := mem[page-size : page : page]
		for i := range data {
			data[i] = "AKIA 000-00-0000 ssn "[i%21]
		}
		check(t, sets, data, 0, 0, naive(sets["scalar"].patterns, data, 0))
	}
}

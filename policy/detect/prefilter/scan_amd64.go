package prefilter

// scanVector is filter.scan with AVX2.
//
//go:noescape
func scanVector(f *filter, data []byte, at int) (next int, mask uint32)

func cpuid(leaf, sub uint32) (a, b, c, d uint32)

func xgetbv() uint32

// hasVector says whether the CPU has AVX2 and the system keeps its registers
// (Intel 64 and IA-32 Architectures Software Developer's Manual, 1, 14.7.1).
func hasVector() bool {
	const (
		osxsave = 1 << 27 // leaf 1, ecx
		avx     = 1 << 28
		avx2    = 1 << 5 // leaf 7, ebx
		states  = 1<<1 | 1<<2
	)
	if last, _, _, _ := cpuid(0, 0); last < 7 {
		return false
	}
	if _, _, c, _ := cpuid(1, 0); c&(osxsave|avx) != osxsave|avx || xgetbv()&states != states {
		return false
	}
	_, b, _, _ := cpuid(7, 0)
	return b&avx2 != 0
}

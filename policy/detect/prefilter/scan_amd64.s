#include "go_asm.h"
#include "textflag.h"

// WINDOWS looks at the eight windows at off, off+4, ..., off+28 of the block:
// the highest bit of each element of found tells of one. For each: fold, multiply,
// fetch the word, shift it left by the number of each bit, so that the highest
// bit of both tells.
//
// The eight words are fetched one by one. VPGATHERDD is no faster where it is
// fast, and slow where microcode guards it against gather data
// sampling (CVE-2022-40982).
#define WINDOWS(off, found) \
	VMOVDQU off(SI)(AX*1), Y0 \
	VPAND Y13, Y0, Y0 \
	VPMULLD Y14, Y0, Y0 \
	VPSRLD $(32-const_filterBits), Y0, Y1 \
	VPSRLD $(27-const_filterBits), Y0, Y2 \
	VPSRLD $(22-const_filterBits), Y0, Y3 \
	VPAND Y15, Y2, Y2 \
	VPAND Y15, Y3, Y3 \
	VEXTRACTI128 $1, Y1, X4 \
	VMOVQ X1, R8 \
	VPEXTRQ $1, X1, R10 \
	VMOVQ X4, R12 \
	VPEXTRQ $1, X4, R13 \
	FOUR(R8, R10, X1) \
	FOUR(R12, R13, X4) \
	VINSERTI128 $1, X4, Y1, Y1 \
	VPSLLVD Y2, Y1, Y2 \
	VPSLLVD Y3, Y1, Y3 \
	VPAND Y2, Y3, found

// FOUR fetches the words whose numbers are the halves of a and of b.
#define FOUR(a, b, words) \
	MOVL a, R9 \
	SHRQ $32, a \
	VMOVD (DI)(R9*4), words \
	VPINSRD $1, (DI)(a*4), words, words \
	MOVL b, R9 \
	SHRQ $32, b \
	VPINSRD $2, (DI)(R9*4), words, words \
	VPINSRD $3, (DI)(b*4), words, words

// func scanVector(f *filter, data []byte, at int) (next int, mask uint32)
TEXT ·scanVector(SB), NOSPLIT, $0-52
	MOVQ f+0(FP), DI
	MOVQ data_base+8(FP), SI
	MOVQ data_len+16(FP), BX
	MOVQ at+32(FP), AX
	SUBQ $const_reach, BX // the last offset at which a block may begin
	MOVL $const_foldMask, R8
	VMOVD R8, X13
	VPBROADCASTD X13, Y13
	MOVL $const_factor, R8
	VMOVD R8, X14
	VPBROADCASTD X14, Y14
	MOVL $31, R8
	VMOVD R8, X15
	VPBROADCASTD X15, Y15
	XORL CX, CX
	JMP more

loop:
	WINDOWS(0, Y6)
	WINDOWS(2, Y7)
	WINDOWS(32, Y8)
	WINDOWS(34, Y9)
	// To 16 bits each, in order: those at 0, 4, ... go between those at 2, 6, ...
	VPSRLD $16, Y6, Y6
	VPBLENDW $0xAA, Y7, Y6, Y6
	VPSRLD $16, Y8, Y8
	VPBLENDW $0xAA, Y9, Y8, Y8
	// To 8 bits, which keeps the sign, and the quarters in order.
	VPACKSSWB Y8, Y6, Y6
	VPERMQ $0xD8, Y6, Y6
	VPMOVMSKB Y6, CX
	TESTL CX, CX
	JNE done
	ADDQ $const_block, AX

more:
	CMPQ AX, BX
	JLE loop

done:
	VZEROUPPER
	MOVQ AX, next+40(FP)
	MOVL CX, mask+48(FP)
	RET

// func cpuid(leaf, sub uint32) (a, b, c, d uint32)
TEXT ·cpuid(SB), NOSPLIT, $0-24
	MOVL leaf+0(FP), AX
	MOVL sub+4(FP), CX
	CPUID
	MOVL AX, a+8(FP)
	MOVL BX, b+12(FP)
	MOVL CX, c+16(FP)
	MOVL DX, d+20(FP)
	RET

// func xgetbv() uint32
TEXT ·xgetbv(SB), NOSPLIT, $0-4
	XORL CX, CX
	XGETBV
	MOVL AX, ret+0(FP)
	RET

//go:build !race

#include "textflag.h"

// func StoreRelease(p *uint64, v uint64)
//
// A MOV is a release store on amd64: stores leave the store buffer in order.
// Go's own atomic store is an XCHG, which waits until that buffer is empty.
TEXT ·StoreRelease(SB), NOSPLIT, $0-16
	MOVQ p+0(FP), AX
	MOVQ v+8(FP), CX
	MOVQ CX, (AX)
	RET

// func Pause(n uint32)
TEXT ·Pause(SB), NOSPLIT, $0-4
	MOVL n+0(FP), AX
again:
	PAUSE
	SUBL $1, AX
	JNZ  again
	RET

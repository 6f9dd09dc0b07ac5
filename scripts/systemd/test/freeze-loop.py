"""freeze-loop.py PID: stops the thread of a side that sleeps on a word of its segment, until this program is killed.

All other threads of the process keep running.
"""
import ctypes
import os
import sys

SEIZE, INTERRUPT, WALL, FUTEX_WAITV = 0x4206, 0x4207, 0x40000000, "449"
libc = ctypes.CDLL(None, use_errno=True)
pid = int(sys.argv[1])


def ptrace(request, tid):
    if libc.ptrace(request, tid, None, None) < 0:
        sys.exit(f"ptrace {request:#x} of {tid}: {os.strerror(ctypes.get_errno())}")


def segment():
    for line in open(f"/proc/{pid}/maps"):
        if "/dev/shm/sluice." in line:
            first, last = line.split()[0].split("-")
            yield range(int(first, 16), int(last, 16))


def asleep():
    for tid in os.listdir(f"/proc/{pid}/task"):
        call = open(f"/proc/{pid}/task/{tid}/syscall").read().split()
        if call[0] == FUTEX_WAITV:  # its words are behind a pointer; the Go runtime does not use this call
            return int(tid)
        if len(call) > 1 and any(int(call[1], 16) in mapping for mapping in mappings):
            return int(tid)


mappings = list(segment())
while not (tid := asleep()):
    pass
ptrace(SEIZE, tid)
ptrace(INTERRUPT, tid)
while os.WIFSTOPPED(os.waitpid(tid, WALL)[1]):
    pass

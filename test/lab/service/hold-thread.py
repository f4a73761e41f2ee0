"""Stops one thread of a process, as a hang would, until this program ends, or the process: signals can stop whole processes only.

Usage: hold-thread.py THREAD_ID. Prints "held" when the thread stands still. See ptrace(2).
"""
import ctypes
import os
import sys

PTRACE_SEIZE = 0x4206
PTRACE_INTERRUPT = 0x4207
WALL = 0x40000000

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
libc.ptrace.restype = ctypes.c_long


def ptrace(request: int, thread: int) -> None:
    if libc.ptrace(request, thread, None, None) < 0:
        code = ctypes.get_errno()
        sys.exit(f"ptrace of thread {thread}: {os.strerror(code)}")


thread = int(sys.argv[1])
ptrace(PTRACE_SEIZE, thread)
ptrace(PTRACE_INTERRUPT, thread)
os.waitpid(thread, WALL)
print("held", flush=True)
# A process that is killed has not ended before those of its threads that are traced have been waited for.
os.waitpid(thread, WALL)

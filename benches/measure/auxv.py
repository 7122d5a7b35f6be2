"""Keeps a program under valgrind from being told of memory that is not there.

The crate rustix asks the kernel for the auxiliary vector (`PR_GET_AUXV`, Linux 6.4), reads from it where the vDSO is,
and looks there. valgrind hides the vDSO from the vector that it shows, but does not know of this call, so the program
ends by SIGSEGV (rustix issue 1559). A seccomp filter lets the call fail: then the vector comes from `/proc/self/auxv`,
which valgrind does know.
"""

import ctypes
import errno
import platform
import struct

PRCTL = {"x86_64": 157, "aarch64": 167}
PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS, PR_GET_AUXV = 22, 38, 0x41555856
SECCOMP_MODE_FILTER = 2
RETURN_ERROR, RETURN_ALLOW = 0x00050000, 0x7FFF0000
# Classic BPF: load a word of `struct seccomp_data`, jump if equal, return.
LOAD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06
NUMBER_AT, FIRST_ARGUMENT_AT = 0, 16

LIBC = ctypes.CDLL(None, use_errno=True)


class Filter(ctypes.Structure):
    """`struct sock_fprog`"""

    _fields_ = [("length", ctypes.c_ushort), ("program", ctypes.c_char_p)]


def hide():
    """For this process and all that it becomes or starts. Runs between fork and exec."""
    instructions = [
        (LOAD, 0, 0, NUMBER_AT),
        (JUMP_IF_EQUAL, 0, 3, PRCTL[platform.machine()]),
        (LOAD, 0, 0, FIRST_ARGUMENT_AT),
        (JUMP_IF_EQUAL, 0, 1, PR_GET_AUXV),
        (RETURN, 0, 0, RETURN_ERROR | errno.EINVAL),
        (RETURN, 0, 0, RETURN_ALLOW),
    ]
    program = b"".join(struct.pack("HBBI", *instruction) for instruction in instructions)
    arguments = Filter(len(instructions), program)
    if LIBC.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or LIBC.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(arguments)):
        raise OSError(ctypes.get_errno(), "no seccomp filter can be set")

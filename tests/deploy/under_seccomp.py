"""Runs a program under a profile as container engines read it (the OCI's JSON), without an engine.

    under_seccomp.py PROFILE [-NAME ...] PROGRAM [arguments]

A -NAME takes a system call off the list. Needs libseccomp's module (Debian: python3-seccomp); ends with 77 without it.
"""

import json
import os
import sys

try:
    import seccomp
except ImportError:
    sys.exit(77)


def comparison(argument):
    """One condition on an argument of a system call."""
    operator = getattr(seccomp, argument["op"].removeprefix("SCMP_CMP_"))
    if operator == seccomp.MASKED_EQ:
        # The profile has the mask first, and what is left under it second.
        return seccomp.Arg(argument["index"], operator, argument["value"], argument["valueTwo"])
    return seccomp.Arg(argument["index"], operator, argument["value"])


def load(path, without):
    """Puts the filter on this process, and so on what it becomes."""
    with open(path, encoding="utf-8") as file:
        profile = json.load(file)
    assert profile["defaultAction"] == "SCMP_ACT_ERRNO"
    rules = seccomp.SyscallFilter(seccomp.ERRNO(profile["defaultErrnoRet"]))
    for group in profile["syscalls"]:
        assert group["action"] == "SCMP_ACT_ALLOW"
        for name in group["names"]:
            # Not every architecture has every one; engines leave out what is unknown, as this does.
            if name not in without and seccomp.resolve_syscall(seccomp.Arch(), name) >= 0:
                rules.add_rule(seccomp.ALLOW, name, *map(comparison, group.get("args", [])))
    rules.load()


arguments = sys.argv[2:]
taken_off = []
while arguments[0].startswith("-"):
    taken_off.append(arguments.pop(0)[1:])
load(sys.argv[1], taken_off)
os.execvp(arguments[0], arguments)

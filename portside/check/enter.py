"""Start a program that sees and reaches little of this machine: no network, no process but its own, a file system that
is read-only but for /tmp, and of that only what it is given.

A script of its own, for a process that has no threads: `python -I enter.py PLAN`, with PLAN as JSON: binds (pairs of
what is there and where it is to be seen), root (an empty folder), argv, env and workdir. Ends as the program does, with
125 where this machine does not allow it.
"""

import ctypes
import json
import os
import resource
import sys
from contextlib import suppress
from typing import Any, NoReturn

NOT_ALLOWED = 125

NEW_USER, NEW_MOUNTS, NEW_IPC, NEW_PROCESSES, NEW_NETWORK = 0x10000000, 0x00020000, 0x08000000, 0x20000000, 0x40000000
READ_ONLY, NO_SUID, NO_DEVICES, NO_EXEC, REMOUNT, BIND, RECURSIVE, PRIVATE = 1, 2, 4, 8, 32, 4096, 16384, 1 << 18
KEPT = {
    "nosuid": NO_SUID,
    "nodev": NO_DEVICES,
    "noexec": NO_EXEC,
    "noatime": 1024,
    "nodiratime": 2048,
    "relatime": 1 << 21,
}
"""Options that whoever did not mount it cannot take away (mount_namespaces(7))."""
DETACH = 2
DEATH_SIGNAL, DROP_BOUND, SECURE_BITS, NO_NEW_RIGHTS = 1, 24, 28, 38
LAST_CAPABILITY = 63
WITHOUT_ROOT = 0x2F
"""No rights because a user is root, and nobody can say otherwise again (capabilities(7))."""
CAPABILITIES_3 = 0x20080522
KILL = 9

DEVICES = ("null", "zero", "full", "random", "urandom")
LINKS = {"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2"}
TEMPORARY = "size=512m,mode=1777"

libc = ctypes.CDLL(None, use_errno=True)


def call(name: str, *arguments: Any) -> None:
    """A function of the C library. Raises OSError."""
    if getattr(libc, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def mount(source: str | None, target: str, kind: str | None, flags: int, options: str | None = None) -> None:
    texts = [None if text is None else os.fsencode(text) for text in (source, target, kind, options)]
    call("mount", texts[0], texts[1], texts[2], ctypes.c_ulong(flags), texts[3])


def leave_namespaces() -> None:
    """Have namespaces of our own; as a user who is nobody outside of them, where that is allowed."""
    new = NEW_MOUNTS | NEW_IPC | NEW_PROCESSES | NEW_NETWORK
    user, group = os.geteuid(), os.getegid()
    try:
        call("unshare", NEW_USER | new)
    except OSError:
        if user != 0:
            raise
        call("unshare", new)
        return
    # Who may not choose groups may map a group (user_namespaces(7)).
    for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
        with open(f"/proc/self/{name}", "w") as stream:
            stream.write(text)


def bind(source: str, target: str) -> None:
    if os.path.lexists(target):
        return  # it lies in what is there already
    os.makedirs(os.path.dirname(target), exist_ok=True)
    if os.path.isdir(source):
        os.mkdir(target)
    else:
        open(target, "w").close()
    mount(source, target, None, BIND | RECURSIVE)


def build_root(root: str, binds: list[list[str]]) -> None:
    """Put together what the program sees, in `root`."""
    mount(None, "/", None, RECURSIVE | PRIVATE)
    mount("tmpfs", root, "tmpfs", NO_SUID | NO_DEVICES, "size=4m,mode=755")
    for name in ("tmp", "proc", "dev"):
        os.mkdir(f"{root}/{name}")
    mount("tmpfs", f"{root}/tmp", "tmpfs", NO_SUID | NO_DEVICES, TEMPORARY)
    with suppress(OSError):  # in a container that hides a part of its own, it cannot be had; few programs need it
        mount("proc", f"{root}/proc", "proc", NO_SUID | NO_DEVICES | NO_EXEC)
    for name in DEVICES:
        bind(f"/dev/{name}", f"{root}/dev/{name}")
    for name, link in LINKS.items():
        os.symlink(link, f"{root}/dev/{name}")
    for source, target in sorted(binds, key=lambda pair: pair[1]):
        if os.path.islink(source) and source == target:
            if not os.path.lexists(root + target):
                os.makedirs(os.path.dirname(root + target), exist_ok=True)
                os.symlink(os.readlink(source), root + target)
        else:
            bind(source, root + target)


def mounts_below(root: str) -> list[tuple[str, int]]:
    """Each mount of `root`, and which options it has (proc_pid_mountinfo(5))."""
    found = []
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as stream:
        for line in stream:
            fields = line.split()
            place = fields[4].encode("latin-1", "surrogateescape").decode("unicode_escape").encode("latin-1", "replace")
            path = os.fsdecode(place)
            if path == root or path.startswith(root + "/"):
                found.append((path, sum(KEPT.get(option, 0) for option in fields[5].split(","))))
    return found


def make_read_only(root: str) -> None:
    for path, flags in mounts_below(root):
        if path == f"{root}/tmp":
            continue
        more = 0 if path.startswith(f"{root}/dev/") else NO_DEVICES
        mount(None, path, None, REMOUNT | BIND | READ_ONLY | NO_SUID | more | flags)


def give_up_rights() -> None:
    """So that nothing of the above can be undone."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    call("prctl", NO_NEW_RIGHTS, 1, 0, 0, 0)
    with suppress(OSError):
        call("prctl", SECURE_BITS, WITHOUT_ROOT, 0, 0, 0)
    for number in range(LAST_CAPABILITY + 1):
        with suppress(OSError):  # the kernel knows fewer
            call("prctl", DROP_BOUND, number, 0, 0, 0)
    header = (ctypes.c_uint32 * 2)(CAPABILITIES_3, 0)
    call("capset", header, (ctypes.c_uint32 * 6)())


def enter(plan: dict[str, Any]) -> NoReturn:
    """As the first process of the new namespace of processes."""
    call("prctl", DEATH_SIGNAL, KILL, 0, 0, 0)
    root = os.path.realpath(plan["root"])
    build_root(root, plan["binds"])
    make_read_only(root)
    os.chdir(root)
    call("pivot_root", b".", b".")
    call("umount2", b".", DETACH)
    os.chdir(plan["workdir"])
    give_up_rights()
    os.execve(plan["argv"][0], plan["argv"], plan["env"])


def main() -> int:
    plan = json.loads(sys.argv[1])
    try:
        leave_namespaces()
        child = os.fork()
        if child == 0:
            enter(plan)
    except (OSError, AttributeError) as error:
        print(f"{error}", file=sys.stderr, flush=True)
        os._exit(NOT_ALLOWED)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    return 128 - code if code < 0 else code


if __name__ == "__main__":
    sys.exit(main())

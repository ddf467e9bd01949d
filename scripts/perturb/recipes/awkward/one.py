"""The first step: everything is made."""

import os
import socket
import struct
from contextlib import suppress
from pathlib import Path

root = Path("/srv/awkward")
root.mkdir()
os.chdir(root)
os.umask(0)

# Hard links: within a folder, across folders, to something of the layers below, and three that the next steps break.
Path("links/deep").mkdir(parents=True)
Path("links/first").write_text("one file\n")
os.link("links/first", "links/deep/second")
os.link("links/first", "aside")
Path("links/kept").write_text("kept\n")
os.link("links/kept", "links/kept too")
Path("links/three").write_text("three names\n")
os.link("links/three", "links/three b")
os.link("links/three", "links/three c")
Path("links/below").symlink_to("../nowhere\n")
Path("links/itself").symlink_to("itself")
os.link("links/itself", "links/itself too", follow_symlinks=False)

# Names: long ones, of bytes that are no UTF-8, with everything but / and NUL; a path of 3,000 bytes.
Path("n" * 255).touch()
Path("l" * 100).symlink_to("t" * 3000)
for raw in (
    b"\xff\xfe not UTF-8",
    b"latin \xe9",
    bytes(range(1, 47)),
    bytes(range(48, 128)),
    "中文 é".encode(),
    b" ",
    b"~",
    b"-rf",
):
    os.close(os.open(raw, os.O_CREAT, 0o644))
os.mkdir(b"\x80folder")
os.symlink(b"\xc3\x28", b"\x80folder/\xf0link")
long = Path("p")
for _ in range(12):
    long /= "d" * 245
os.makedirs(long)
(long / "end").write_text("the end of a long path\n")
# "é" in both normal forms, and names that differ in case alone.
for name in ("\u00e9", "e\u0301", "README", "readme"):
    Path(f"same {name}").write_text(name)

# Modes and owners.
Path("modes").mkdir()
for mode in (0, 0o1, 0o7777, 0o4755, 0o2755, 0o1777, 0o6711):
    path = Path(f"modes/file {mode:04o}")
    path.write_text("x")
    path.chmod(mode)
    path = Path(f"modes/folder {mode:04o}")
    path.mkdir()
    (path / "inside").touch()
    path.chmod(mode)
Path("owners").mkdir()
for owner in (1, 65534, 65536, 2097152, 2**31 - 1, 2**31, 2**32 - 2):
    path = Path(f"owners/{owner}")
    path.touch()
    os.chown(path, owner, 2**32 - 2 - owner)

# Capabilities (vfs_cap_data, revision 2) and other attributes.
Path("attributes").mkdir()
capability = struct.pack("<IIIII", 0x02000001, 1 << 13, 0, 0, 0)
for name in ("capable", "capable and linked", "loses it"):
    path = Path(f"attributes/{name}")
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    os.setxattr(path, "security.capability", capability)
os.link("attributes/capable and linked", "attributes/linked")
Path("attributes/user").touch()
with suppress(OSError):  # overlays without user attributes
    os.setxattr("attributes/user", "user.colour", b"\x00red")

# What is no file: FIFOs, devices, sockets, one of each over the place of a file of the base.
os.mkfifo("fifo", 0o604)
os.mknod("device", 0o600 | 0o020000, os.makedev(1, 3))
os.mknod("block", 0o600 | 0o060000, os.makedev(7, 200))
bound = socket.socket(socket.AF_UNIX)
bound.bind("socket")
os.remove("/etc/debian_version")
os.mkfifo("/etc/debian_version")
os.remove("/etc/host.conf")
os.mknod("/etc/host.conf", 0o020600, os.makedev(1, 3))

# 5,000 files, sparse ones, empty ones.
Path("many").mkdir()
for number in range(5000):
    Path(f"many/{number * 7919 % 5000:04}").write_text(f"{number}\n")
with open("sparse", "wb") as stream:
    stream.truncate(300_000_000)
    stream.seek(150_000_000)
    stream.write(b"in the middle")
with open("hole", "wb") as stream:
    stream.truncate(10_000_000)

# Times: before 1970, at 0, after 2038 and after 2106, with nanoseconds.
Path("times").mkdir()
for seconds in (-31_536_000, -1, 0, 1, 2**31, 4_102_444_800, 2**32 + 1):
    path = Path(f"times/{seconds}")
    path.touch()
    os.utime(path, ns=(seconds * 10**9 + 5, seconds * 10**9 + 123_456_789))
os.utime("times", (-86_400, -86_400))

# What the next steps turn into something else.
Path("turns/into a folder").parent.mkdir()
Path("turns/into a folder").write_text("a file")
Path("turns/into a file/with").mkdir(parents=True)
Path("turns/into a file/with/content").write_text("a folder")
Path("turns/into a link").mkdir()
Path("turns/opaque/old").mkdir(parents=True)
Path("turns/opaque/old/file").write_text("old")
Path("turns/opaque/kept").write_text("old")
Path("turns/gone/deep").mkdir(parents=True)
Path("turns/gone/deep/file").touch()
Path("turns/moved/a/b").mkdir(parents=True)
Path("turns/moved/a/b/c").write_text("moved")

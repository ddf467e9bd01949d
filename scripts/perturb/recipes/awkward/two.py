"""The second step: everything changes its kind, its place or one of its names."""

import os
import shutil
import socket
from pathlib import Path

os.chdir("/srv/awkward")
os.umask(0o027)

# Hard links over steps: one name goes, one is written to, one more is made, one is replaced.
os.remove("links/first")
with open("links/kept", "a") as stream:
    stream.write("and written to\n")
os.link("links/three", "links/three d")
os.remove("links/three b")
Path("links/three b").write_text("another file\n")
os.link("/etc/group", "links/of the base")
os.chmod("aside", 0o600)

# A folder that takes the place of a file, and the other way round; opaque folders; a moved one.
os.remove("turns/into a folder")
Path("turns/into a folder/inside").mkdir(parents=True)
shutil.rmtree("turns/into a file")
Path("turns/into a file").write_text("a file")
os.rmdir("turns/into a link")
Path("turns/into a link").symlink_to("into a folder")
shutil.rmtree("turns/opaque")
Path("turns/opaque").mkdir(mode=0o711)
Path("turns/opaque/kept").write_text("new")
shutil.rmtree("turns/gone")
shutil.move("turns/moved/a", "turns/moved/elsewhere")
os.rename("many/0000", "many/renamed")
for number in range(1, 5000, 2):
    os.remove(f"many/{number:04}")

# Metadata alone, and then what was.
os.chown("modes/file 7777", 5, 6)
os.chmod("modes/folder 0000", 0o111)
os.setxattr(
    "attributes/capable", "security.capability", os.getxattr("attributes/capable and linked", "security.capability")
)
os.removexattr("attributes/loses it", "security.capability")
os.utime("times/0", (-1, -1))
os.chmod("times", 0o700)
os.chmod("times", 0o755)

# Sockets, devices and FIFOs over paths that have something.
for name in ("same README", "many/renamed"):
    os.remove(name)
    bound = socket.socket(socket.AF_UNIX)
    bound.bind(name)
os.remove("fifo")
Path("fifo").write_text("a file now")
os.remove("device")
Path("device").mkdir()
os.remove("hole")
os.mkfifo("hole")
with open("sparse", "r+b") as stream:
    stream.seek(299_000_000)
    stream.write(b"near the end")

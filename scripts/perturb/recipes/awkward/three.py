"""The third step: some of it goes back to what it was, and some is gone."""

import os
import shutil
from contextlib import suppress
from pathlib import Path

os.chdir("/srv/awkward")
os.umask(0o777)

os.remove("turns/into a file")
Path("turns/into a file/with").mkdir(parents=True, mode=0o700)
os.chmod("turns/into a file", 0o755)
shutil.rmtree("turns/into a folder")
os.close(os.open("turns/into a folder", os.O_CREAT | os.O_WRONLY, 0o640))
os.chmod("turns/into a folder", 0o640)
shutil.rmtree("turns/moved")
os.link("aside", "links/first")
os.remove("links/three c")
os.rename("links/three", "links/three c")
with suppress(FileNotFoundError):  # Podman keeps no socket from one step to the next
    os.remove("socket")
shutil.rmtree("p")
os.replace("same readme", "same README")
for number in range(0, 5000, 1000):
    path = f"many/{number:04}"
    if os.path.lexists(path):
        os.truncate(path, 0)

"""Save and load an image archive of 6 GB, beside `cp` and sha256 of the same bytes in the same run.

    python scripts/bench_archive.py [--gigabytes 6] [--folder DIR]

Prints a line per step, and as JSON at the end: seconds, and the peak of resident memory in MiB of the process that
did it. Needs about four times the image's size in DIR, which is emptied again.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from portside.archive.read import read_archive
from portside.archive.write import write_archive
from portside.common.canonical import canonical_json, copy_and_hash
from portside.common.tree import Entry, FileRange, Tree
from portside.common.values import ImageName
from portside.layers.canonical import data_layer
from portside.layers.writer import write_layer
from portside.store import Store
from portside.store.layout import Blob, Image

NAME = "portside/bench:weights"


def make_image(home: Path, size: int) -> Image:
    """An image of four layers with random bytes, in a store at `home`, named bench:weights."""
    store = Store(home)
    blobs = []
    source = home / "random"
    for number in range(4):
        with source.open("wb") as out:
            for _ in range(size // 4 >> 20):
                out.write(os.urandom(1 << 20))
        content = FileRange(source, 0, source.stat().st_size)
        sha256, length = copy_and_hash(content.open())
        entry = Entry(f"w{number}.bin", "file", 0o644, size=length, sha256=sha256, content=content)
        with store.layout.new_blob() as new:
            written = write_layer(data_layer(Tree([entry]), 0), new.stream)
            new.commit(written.diff_id)
        blobs.append(Blob(written.diff_id, written.size))
    source.unlink()
    diff_ids = [f"sha256:{blob.digest}" for blob in blobs]
    config = {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": diff_ids}}
    image = Image(canonical_json(config), tuple(blobs))
    store.layout.put_image(ImageName("bench:weights"), image)
    return image


def run_step(name: str, folder: Path) -> None:
    """One step in this process."""
    archive = folder / "image.tar"
    if name == "save":
        store = Store(folder / "home")
        image = store.layout.image("bench:weights")
        assert image is not None
        write_archive(image, [NAME], store, archive)
    elif name == "load":
        [loaded] = read_archive(archive, Store(folder / "other")).images
        assert loaded.names == (NAME,)
    elif name == "sha256":
        with (folder / "copy.tar").open("rb", buffering=0) as stream:
            print(copy_and_hash(stream)[0])


def timed(name: str, folder: Path) -> tuple[float, float]:
    """Seconds and peak MiB of a step in a process of its own."""
    if name == "cp":
        command = ["cp", str(folder / "image.tar"), str(folder / "copy.tar")]
    else:
        command = [sys.executable, __file__, "--step", name, "--folder", str(folder)]
    start = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - start
    assert status == 0, name
    print(f"{name:8} {seconds:6.1f} s   {usage.ru_maxrss / 1024:6.0f} MiB resident", file=sys.stderr)
    return seconds, usage.ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--gigabytes", type=float, default=6)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--step")
    options = parser.parse_args()
    if options.step:
        run_step(options.step, options.folder)
        return
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        make_image(folder / "home", int(options.gigabytes * 1e9))
        subprocess.run(["sync"], check=True)
        found = {step: timed(step, folder) for step in ("save", "cp", "sha256", "load")}
    yardstick = found["cp"][0] + found["sha256"][0]
    report = {step: {"seconds": round(s, 1), "mib": round(m)} for step, (s, m) in found.items()}
    speed = {step: round(yardstick / found[step][0], 2) for step in ("save", "load")}
    print(json.dumps({"gigabytes": options.gigabytes, **report, "speed against cp + sha256": speed}, indent=2))


if __name__ == "__main__":
    main()

"""Comment out the one line of the installed DeepSpeed's launcher that deletes MLU_VISIBLE_DEVICES."""

import sys
from importlib.util import find_spec
from pathlib import Path

LINE = 'del os.environ["MLU_VISIBLE_DEVICES"]'


def main() -> None:
    package = find_spec("deepspeed")
    if package is None or package.origin is None:
        sys.exit("no package deepspeed is installed")
    path = Path(package.origin).parent / "launcher" / "runner.py"
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    places = [number for number, line in enumerate(lines) if line.strip() == LINE]
    if len(places) != 1:
        sys.exit(
            f"{path}: {len(places)} lines are {LINE}, one is expected; the package is not what this was written for"
        )
    [place] = places
    indent = lines[place][: len(lines[place]) - len(lines[place].lstrip())]
    # `pass` keeps a block that had nothing else in it.
    lines[place] = f"{indent}pass  # {lines[place].lstrip()}"
    path.write_text("".join(lines), encoding="utf-8")
    print(f"{path}:{place + 1}: commented out")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""How precise mode compares with ports that people made by hand, and what it does to code that knows several cards.

    .venv/bin/python scripts/ground_truth hand REPOSITORIES [--only NAME] [--show CLASS]
    .venv/bin/python scripts/ground_truth structure FOLDER... [--ruleset npu]

REPOSITORIES: a folder with a git repository `OWNER+NAME/repo` or `OWNER/NAME` for each that pairs.yaml names; nothing
of them is committed. FOLDER: a folder with code. Prints JSON; `--show` lists the places of a class for a person to
judge.
"""

import argparse
import json
import sys
from pathlib import Path

import structure
from places import CLASSES, compare_pair, pairs, source_tree

from portside.common.tree import Tree
from portside.migrate.migration import migrate
from portside.migrate.rulesets import load


def hand(arguments: argparse.Namespace) -> int:
    total = dict.fromkeys(CLASSES, 0)
    for pair in pairs():
        if arguments.only and pair.name != arguments.only:
            continue
        try:
            found = compare_pair(pair, arguments.repositories)
        except FileNotFoundError as error:
            print(f"{pair.name}: left out, {error}", file=sys.stderr)
            continue
        counts = {name: sum(place.cls == name for place in found) for name in CLASSES}
        print(json.dumps({"pair": pair.name, "places": len(found), **counts}), flush=True)
        total = {name: total[name] + counts[name] for name in CLASSES}
        for place in found:
            if place.cls == arguments.show:
                print(f"  {place.path}:{place.line}\n    - {place.before}\n    + {place.ours}\n    = {place.port}")
    print(json.dumps({"pair": "all", "places": sum(total.values()), **total}))
    return 0


def structures(arguments: argparse.Namespace) -> int:
    total = dict.fromkeys(structure.COUNTS, 0)
    for folder in arguments.folders:
        tree = source_tree(folder) if (folder / "HEAD").exists() else Tree.from_folder(folder)
        after = migrate(tree, load(arguments.ruleset), "precise").tree
        counts = structure.added(tree, after)
        print(json.dumps({"folder": str(folder), **{name: len(places) for name, places in counts.items()}}), flush=True)
        for name, places in counts.items():
            total[name] += len(places)
            for place in places:
                print(f"  {name}: {place}")
    print(json.dumps({"folder": "all", **total}))
    return 1 if any(total.values()) else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("hand", help="lines that a hand-made port changed")
    command.add_argument("repositories", type=Path)
    command.add_argument("--only", help="one pair")
    command.add_argument("--show", choices=CLASSES, help="list the places of this class")
    command.set_defaults(do=hand)
    command = commands.add_parser("structure", help="branches, entries and methods that are there twice afterwards")
    command.add_argument("folders", type=Path, nargs="+", help="folders or git directories")
    command.add_argument("--ruleset", default="npu")
    command.set_defaults(do=structures)
    arguments = parser.parse_args()
    return int(arguments.do(arguments))


if __name__ == "__main__":
    sys.exit(main())

"""Runs in a container, with that image's Python and PyTorch: do the cards compute what the processor does?

Called with one JSON argument: {"module": the framework's plug-in or null, "device": its name, "collective": a backend
or null, "cards": how many}. Prints one JSON object a line: {"check", "status": "ok", "failed" or "not run", "detail"}.
It uses nothing but PyTorch and what every Python 3.7 has.
"""

from __future__ import annotations

import importlib
import json
import os
import socket
import subprocess
import sys
import time
from typing import Any

SIZE = 64
TOLERANCE = 1e-3
"""Of a sum of 64 products of numbers up to 1; cards that multiply in TF32 differ by some 1e-4."""
RANK = "PORTSIDE_CARD_RANK"
SECONDS = 300


def say(check: str, status: str, detail: str) -> None:
    print(json.dumps({"check": check, "status": status, "detail": detail}), flush=True)


def load(orders: dict[str, Any]) -> Any:
    torch = importlib.import_module("torch")
    if orders["module"]:
        importlib.import_module(orders["module"])
    return torch


def matrix(torch: Any, seed: int) -> Any:
    """The same numbers between 0 and 1 on every machine, whatever its generator of random ones does."""
    values, state = [], seed
    for _ in range(SIZE):
        row = []
        for _ in range(SIZE):
            state = (1103515245 * state + 12345) % (1 << 31)
            row.append(state / float(1 << 31))
        values.append(row)
    return torch.tensor(values)


def computes(torch: Any, device: str, cards: int) -> bool:
    """Whether each card multiplies two matrices as the processor does."""
    a, b = matrix(torch, 1), matrix(torch, 2)
    expected = torch.matmul(a, b)
    fine = True
    for index in range(cards):
        name = f"{device}:{index}"
        try:
            found = torch.matmul(a.to(name), b.to(name)).to("cpu")
            apart = float((found - expected).abs().max())
        except Exception as error:
            say("tensor on " + name, "failed", f"{type(error).__name__}: {error}")
            fine = False
            continue
        right = apart <= TOLERANCE
        fine = fine and right
        say("tensor on " + name, "ok" if right else "failed", f"differs from the processor by {apart:.2g}")
    return fine


def one_rank(orders: dict[str, Any], rank: int) -> None:
    """A process of the collective: the sum of the ranks' numbers must be on every card."""
    torch = load(orders)
    name = "{}:{}".format(orders["device"], rank)
    module = getattr(torch, orders["device"], None)
    if module is not None and hasattr(module, "set_device"):
        module.set_device(rank)
    distributed = importlib.import_module("torch.distributed")
    distributed.init_process_group(orders["collective"], rank=rank, world_size=orders["cards"])
    value = torch.tensor([float(rank + 1)]).to(name)
    distributed.all_reduce(value)
    total = float(value.to("cpu").sum())
    expected = orders["cards"] * (orders["cards"] + 1) / 2
    distributed.destroy_process_group()
    if total != expected:
        raise SystemExit(f"rank {rank} has {total} and not {expected}")


def collective(orders: dict[str, Any]) -> bool:
    """Whether all cards add up their numbers, each by a process of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    own = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(orders["cards"])}
    ranks = []
    for rank in range(orders["cards"]):
        settings = {**os.environ, **own, RANK: str(rank), "RANK": str(rank), "LOCAL_RANK": str(rank)}
        command = [sys.executable, os.path.abspath(__file__), json.dumps(orders)]
        ranks.append(subprocess.Popen(command, env=settings, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE))
    failed = awaited(ranks)
    said = [f"rank {rank}: {text}" for rank, text in failed]
    name = "{} over {} cards".format(orders["collective"], orders["cards"])
    say(name, "failed" if said else "ok", "; ".join(said) or "every card has the sum")
    return not said


def awaited(ranks: list[Any]) -> list[tuple[int, str]]:
    """The ranks that failed, with what they said last. One that fails leaves the others waiting: they are ended."""
    until = time.monotonic() + SECONDS
    while any(rank.poll() is None for rank in ranks):
        if time.monotonic() > until or any(rank.poll() for rank in ranks):
            break
        time.sleep(0.05)
    failed = [(number, rank) for number, rank in enumerate(ranks) if rank.poll()]
    waiting = [(number, rank) for number, rank in enumerate(ranks) if rank.poll() is None]
    for _, rank in waiting:
        rank.kill()
    said = [(number, rank.communicate()[1].decode("utf-8", "replace").strip()[-400:]) for number, rank in failed]
    return said or [(number, f"did not end within {SECONDS} s") for number, _ in waiting]


def main() -> int:
    orders = json.loads(sys.argv[1])
    if RANK in os.environ:
        one_rank(orders, int(os.environ[RANK]))
        return 0
    try:
        torch = load(orders)
    except ImportError as error:
        say("PyTorch", "not run", f"the image has none, or not its plug-in: {error}")
        return 0
    except Exception as error:
        say("PyTorch", "failed", f"{type(error).__name__}: {error}")
        return 1
    module: Any = getattr(torch, orders["device"], None)
    count = module.device_count() if hasattr(module, "device_count") else None
    if count is not None:
        right = count == orders["cards"]
        say("cards that PyTorch sees", "ok" if right else "failed", "{} of {}".format(count, orders["cards"]))
        if not count:
            return 1
    fine = computes(torch, orders["device"], orders["cards"]) and (count in (None, orders["cards"]))
    if orders["cards"] < 2:
        say("collective", "not run", "it wants two cards: --devices 0,1")
    elif not orders["collective"]:
        say("collective", "not run", "nobody says what the backend is called")
    else:
        fine = collective(orders) and fine
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())

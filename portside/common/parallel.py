"""Doing several things at once, and stopping at once."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import contextmanager

Job = Callable[[], object]


@contextmanager
def thread_pool(size: int) -> Iterator[ThreadPoolExecutor]:
    """A pool whose block waits for its threads, unless it is left by an error or by Ctrl-C.

    Then nothing is waited for: a thread may be in the middle of gigabytes, and whatever it leaves unfinished is what
    the store is made to continue from. The tasks end the process without waiting either.
    """
    pool = ThreadPoolExecutor(size)
    try:
        yield pool
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown()


def run_all(jobs: Sequence[Job], size: int) -> None:
    """Run all jobs, `size` at a time. The first error cancels those that have not begun, and is raised."""
    if not jobs:
        return
    with thread_pool(min(size, len(jobs))) as pool:
        futures = [pool.submit(job) for job in jobs]
        done, _ = wait(futures, return_when=FIRST_EXCEPTION)
        for future in futures:
            if future in done:
                future.result()

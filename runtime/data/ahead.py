"""Work done ahead of its use: a few threads, and results in the order of the jobs, whichever is done first."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Job = TypeVar("Job")
Result = TypeVar("Result")

SPARE = 2
"""Results that wait beside those that the threads work on."""


def ahead(work: Callable[[Job], Result], jobs: Iterable[Job], threads: int) -> Generator[Result]:
    """Never more than threads + SPARE results are there at once. Without threads each is made when it is asked for."""
    if not threads:
        yield from map(work, jobs)
        return
    rest = iter(jobs)
    with ThreadPoolExecutor(threads, "netc data") as pool:
        ring: deque[Future[Result]] = deque(pool.submit(work, job) for job in islice(rest, threads + SPARE))
        try:
            while ring:
                found = ring.popleft().result()
                ring.extend(pool.submit(work, job) for job in islice(rest, 1))
                yield found
        finally:
            for future in ring:
                future.cancel()

"""One function over many parts of a set, in processes of this machine or of a Ray cluster; results in their order."""

import multiprocessing
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any, TypeVar

from tutelage.errors import DataError, RecipeError

Part = tuple[int, int]
"""Places [start, stop) of rows."""
Result = TypeVar("Result")

AHEAD = 3  # parts per process that are computed or waiting: results that nobody has taken yet stay few


def in_order(work: Callable[[Part], Result], parts: Sequence[Part], *, processes: int) -> Iterator[Result]:
    """The result of each part, in the order of the parts, whoever is done first. `work` must be picklable.

    Raises:
        DataError: a process was ended from outside, as by a system that runs out of memory.
    """
    if processes == 1 or len(parts) < 2:
        yield from map(work, parts)
        return
    # Forked processes need not import anything again; elsewhere than on Linux, libraries do not survive it.
    context = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
    before = set(multiprocessing.active_children())
    with ProcessPoolExecutor(processes, mp_context=context, initializer=_take, initargs=(work,)) as pool:
        waiting: deque[Future[Result]] = deque()
        try:
            for part in parts:
                waiting.append(pool.submit(_do, part))
                if len(waiting) >= AHEAD * processes:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except BrokenProcessPool:
            remedy = "--processes 1 needs least memory"
            raise DataError(
                "a process of the curation was ended from outside", code="not-enough-memory", remedy=remedy
            ) from None
        except (KeyboardInterrupt, GeneratorExit):  # nobody waits for what they are doing
            for process in set(multiprocessing.active_children()) - before:
                process.terminate()
            raise
        finally:
            for future in waiting:
                future.cancel()


_work: Callable[[Part], Any]


def _take(work: Callable[[Part], Any]) -> None:
    """In each process once: what it will do, which may be large. Ctrl-C is for the caller, who ends the processes; a
    caller that is killed can end none, so they watch for that."""
    global _work
    _work = work
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_caller, daemon=True).start()


def _end_with_caller() -> None:
    caller = multiprocessing.parent_process()
    assert caller is not None
    caller.join()
    os._exit(1)


def _do(part: Part) -> Any:
    return _work(part)


def on_ray(work: Callable[[Part], Result], parts: Sequence[Part], *, address: str) -> Iterator[Result]:
    """The same on Ray Data. The folder that `work` reads must be seen under the same path by all machines.

    Args:
        address: of the cluster; `local` starts one here.

    Raises:
        RecipeError: Ray is not installed, or no cluster answers.
    """
    try:
        import ray
        import ray.data
    except ImportError:
        raise RecipeError(
            "Ray is not installed",
            code="missing-package",
            place="--ray",
            expected="the extra `scale`",
            remedy="pip install 'tutelage[scale]', or leave out --ray",
        ) from None
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # law 10: nobody is told
    try:
        ray.init(address=address, ignore_reinit_error=True, log_to_driver=False, include_dashboard=False)
    except (ConnectionError, ValueError) as error:
        raise RecipeError(
            f"no Ray cluster answers at {address}: {str(error).splitlines()[0]}",
            code="machine-cannot",
            place="--ray",
            expected="the address of a running cluster, or `local`",
            remedy="ray start --head, then --ray auto",
        ) from None
    try:
        context = ray.data.DataContext.get_current()
        context.execution_options.preserve_order = True
        context.enable_progress_bars = False
        shared = ray.put(work)

        def do(row: dict[str, Any]) -> dict[str, Any]:
            return {"result": [ray.get(shared)((int(row["start"]), int(row["stop"])))]}

        rows = ray.data.from_items([{"start": start, "stop": stop} for start, stop in parts])
        for row in rows.map(do).iter_rows():
            yield row["result"][0]
    finally:
        ray.shutdown()


@dataclass(frozen=True)
class Workers:
    """Who works.

    Attributes:
        processes: of this machine; None: one for each processor core.
        ray: address of a Ray cluster that works instead; `local` starts one here.
    """

    processes: int | None = None
    ray: str | None = None

    def results(self, work: Callable[[Part], Result], parts: Sequence[Part]) -> Iterator[Result]:
        """The result of each part, in the order of the parts."""
        if self.ray is not None:
            return on_ray(work, parts, address=self.ray)
        return in_order(work, parts, processes=self.processes or processes_here())


def processes_here() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1

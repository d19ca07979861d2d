"""Ctrl-C and SIGTERM: a run that is asked to stop finishes its step, saves, and says how it goes on."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def stops_when_asked(told: Callable[[str], None]) -> Iterator[Callable[[], bool]]:
    """While it lasts, the first signal asks for an orderly stop, and the second one stops at once (KeyboardInterrupt).

    Args:
        told: hears that the stop was understood.

    Yields:
        Whether somebody has asked. Outside the main thread signals never come, and nobody has.
    """
    asked = False

    def on_signal(number: int, _: FrameType | None) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True
        told(f"{signal.Signals(number).name}: the run stops when this step is done and saved; once more stops it now")

    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    before = {number: signal.signal(number, on_signal) for number in _SIGNALS}
    try:
        yield lambda: asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def terminate_like_ctrl_c() -> None:
    """From now on SIGTERM is a KeyboardInterrupt: a scheduler's signal ends a verb as Ctrl-C does."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)

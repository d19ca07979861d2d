"""What people read while a verb works: notes, progress with rate and time left, tables.

Everything here goes to stderr when the verb's result is JSON, so that stdout stays machine-readable.
"""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console, RenderableType
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

Update = Callable[[int, str], None]
PLAIN_EVERY = 5.0  # seconds between lines where there is no terminal to redraw


class Terminal:
    """The console of one verb.

    Args:
        json: the result is JSON on stdout; people read stderr.
        quiet: nothing is printed.
    """

    def __init__(self, *, json: bool = False, quiet: bool = False) -> None:
        self.console = Console(stderr=json, quiet=quiet, highlight=False, soft_wrap=True)

    def say(self, *parts: str | tuple[str, str]) -> None:
        """A line for people, of texts and (text, style); nothing in a text is taken for markup."""
        self.console.print(Text.assemble(*parts))

    def show(self, figure: RenderableType) -> None:
        """A table or a coloured text for people."""
        self.console.print(figure)

    def note(self, text: str) -> None:
        """Something that the user should know, as a repair or a fallback."""
        self.say(("note", "yellow"), f" {text}")

    @contextmanager
    def progress(self, title: str, total: int | None, *, start: int = 0) -> Iterator[Update]:
        """Progress of some work; call the given function with (done so far, what to show beside it).

        Args:
            total: how much there is; None where nobody knows.
            start: how much was done before, as by a run that is resumed.
        """
        if not self.console.is_terminal:
            with self._plain(title, total, start=start) as update:
                yield update
            return
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[beside]}"),
            _Rate(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=self.console, transient=True) as bar:
            task = bar.add_task(title, total=total, completed=start, beside="")
            yield lambda done, beside: bar.update(task, completed=done, beside=beside)

    @contextmanager
    def _plain(self, title: str, total: int | None, *, start: int) -> Iterator[Update]:
        started = last = time.monotonic()

        def update(done: int, beside: str) -> None:
            nonlocal last
            now = time.monotonic()
            if now - last < PLAIN_EVERY or done <= start:
                return
            last = now
            rate = (done - start) / (now - started)
            beside = beside or f"{rate:,.1f}/s"
            left = f", {_duration((total - done) / rate)} left" if total else ""
            self.say(f"{title}: {done:,}{f' of {total:,}' if total else ''} {beside}{left}")
            sys.stderr.flush()

        yield update


class _Rate(ProgressColumn):
    """Items per second, where nothing else is shown beside the count."""

    def render(self, task: Task) -> Text:
        """The rate of a task."""
        return Text(f"{task.speed:,.1f}/s" if task.speed and not task.fields["beside"] else "")


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02d} min" if minutes else f"{rest} s"

"""What is shown until Ctrl-C: looked at again and again, and drawn anew when it has changed."""

from __future__ import annotations

import time
from collections.abc import Callable

from arcana_pipelines.cli.output import console
from arcana_pipelines.errors import ArcanaError, WrongUse

LOOK_SECONDS = 2.0
# Looking costs time at the database; it looks at most this part of the time.
SHARE_OF_TIME = 0.1


def watch(show: Callable[[], None], pause: Callable[[float], None] = time.sleep) -> None:
    """Show what `show` says, until Ctrl-C. A database that is away is told, and looked for again.

    Raises:
        WrongUse: this is no terminal.
    """
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    screen = console()
    if not screen.is_terminal:
        raise WrongUse("--watch draws on a terminal, and this is none: leave it out, or use --json.")

    def look() -> str:
        with screen.capture() as captured:
            try:
                show()
            except ArcanaError as error:
                screen.print(str(error), markup=False)
        return captured.get()

    shown = look()
    # Of its own: whatever is printed on a console draws anew what is live there, also where it is captured.
    drawn_on = Console(file=screen.file, force_terminal=True, highlight=False)
    with Live(Text.from_ansi(shown), console=drawn_on, auto_refresh=False) as live:
        try:
            while True:
                began = time.monotonic()
                now = look()
                if now != shown:
                    shown = now
                    live.update(Text.from_ansi(shown), refresh=True)
                pause(max(LOOK_SECONDS, (time.monotonic() - began) / SHARE_OF_TIME))
        except KeyboardInterrupt:
            return

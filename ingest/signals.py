"""Interrupts: Ctrl-C and SIGTERM, remembered.

A `KeyboardInterrupt` that arrives while a library calls back into Python may get lost there. So it is remembered, and
raised again at the next step.
"""

import signal
from types import FrameType
from typing import NoReturn

_caught = False


def _interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
    global _caught  # noqa: PLW0603 - signals are the process's
    _caught = True
    raise KeyboardInterrupt


def catch() -> None:
    """From now on, SIGTERM is an interrupt like Ctrl-C, and neither is lost."""
    signal.signal(signal.SIGTERM, _interrupt)
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:  # as in a script's background, where it is not for us
        signal.signal(signal.SIGINT, _interrupt)


def check() -> None:
    """Raise what was caught.

    Raises:
        KeyboardInterrupt: There was an interrupt.
    """
    if _caught:
        raise KeyboardInterrupt

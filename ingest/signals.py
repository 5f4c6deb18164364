"""Signal handlers: SIGINT (Ctrl-C) and SIGTERM end a load, and are not lost.

A `KeyboardInterrupt` that is raised while a library calls back into Python may be swallowed there. So the handler also
sets a flag, and `check` raises the interrupt again at the next step.
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
    """Install the handlers: from now on SIGTERM is an interrupt like Ctrl-C."""
    signal.signal(signal.SIGTERM, _interrupt)
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:  # ignored, as in the background of a script
        signal.signal(signal.SIGINT, _interrupt)


def check() -> None:
    """Raise the interrupt again if one was caught.

    Raises:
        KeyboardInterrupt: SIGINT or SIGTERM was caught before.
    """
    if _caught:
        raise KeyboardInterrupt

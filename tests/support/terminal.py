"""A pseudo terminal on which commands write, and the screen that it shows."""

import os
import re
import threading
from collections.abc import Generator
from contextlib import contextmanager
from termios import tcsetwinsize

_PART = re.compile(r"\x1b\[([?0-9;]*)([A-Za-z])|\r|\n|[^\x1b\r\n]+")


class Screen:
    """What is on the lines of a terminal, and was on them before they changed."""

    def __init__(self) -> None:
        self.lines = [""]
        self.seen: list[str] = []
        """Lines that were erased, in order."""
        self._row = self._column = 0

    def feed(self, text: str) -> None:
        """Write a text, with the sequences that move the cursor and erase a line."""
        for part in _PART.finditer(text):
            self._apply(part[0], part[1] or "", part[2] or "")

    def _apply(self, text: str, parameters: str, action: str) -> None:
        if text == "\r":
            self._column = 0
        elif text == "\n":
            self._row += 1
            self.lines += [""] * (self._row == len(self.lines))
        elif action == "A":
            self._row -= int(parameters or 1)
        elif action == "K":
            self.seen.append(self.lines[self._row])
            self.lines[self._row] = ""
        elif not action:
            line = self.lines[self._row].ljust(self._column)
            self.lines[self._row] = line[: self._column] + text + line[self._column + len(text) :]
            self._column += len(text)


@contextmanager
def terminal(columns: int = 100) -> Generator[tuple[int, Screen]]:
    """A descriptor of a terminal to write on, and its screen, which is complete at the end."""
    reading, writing = os.openpty()
    tcsetwinsize(writing, (24, columns))
    parts: list[bytes] = []

    def read() -> None:
        try:
            while part := os.read(reading, 4096):
                parts.append(part)
        except OSError:
            return  # nobody has the terminal open any more

    thread = threading.Thread(target=read)
    thread.start()
    screen = Screen()
    try:
        yield writing, screen
    finally:
        os.close(writing)
        thread.join()
        os.close(reading)
        screen.feed(b"".join(parts).decode())

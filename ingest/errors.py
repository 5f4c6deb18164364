"""What can go wrong, in sentences for people.

    RunmartError                a sentence to show, and the exit code that goes with it
    ├── InputError              an input cannot be read; the load goes on without it
    ├── SettingsError           an option, or a setting in a file or the environment, is wrong
    ├── SourceError             a source names nothing that could be read
    ├── WorkerError             a process that converts inputs has ended unexpectedly
    └── WarehouseError          the warehouse cannot be used
        └── LockedError         ... now, because another process uses it

Messages name what was expected, what was found, and what to do next. They never hold secrets.
"""


class RunmartError(Exception):
    """An error to be shown to a person, without a traceback."""

    exit_code = 1


class InputError(RunmartError):
    """An input cannot be read."""


class SettingsError(RunmartError):
    """An option, or a setting in a file or the environment, is wrong."""

    exit_code = 2


class SourceError(RunmartError):
    """A source named on the command line names nothing that could be read."""


class WorkerError(RunmartError):
    """A process that converts inputs has ended unexpectedly."""


class WarehouseError(RunmartError):
    """The warehouse cannot be used."""


class LockedError(WarehouseError):
    """Another process uses the warehouse."""

    exit_code = 5

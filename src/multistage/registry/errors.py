"""What can go wrong through no fault of the code, each with the exit code that `train.py` and `predict.py` end with.

The text of each is one line for the user: what was wrong, what was expected, what to type instead.
"""


def one_line(error: Exception) -> str:
    """The message of somebody else's exception, on one line."""
    return " ".join(str(error).split()) or type(error).__name__


class MultistageError(Exception):
    """A run that cannot be done or finished; shown as one line, without a traceback.

    Names of files and values may hold line breaks and what no terminal shows; these appear escaped.
    """

    exit_code = 1

    def __init__(self, message: str) -> None:
        super().__init__("".join(c if c.isprintable() else repr(c)[1:-1] for c in message))


class ConfigError(MultistageError):
    """A setting that does not exist, is impossible, or makes no sense beside another."""

    exit_code = 2


class UnreadError(ConfigError):
    """A setting that one run does not read, though others may.

    Args:
        key: Of the setting.
        message: One line.
    """

    def __init__(self, key: str, message: str) -> None:
        super().__init__(message)
        self.key = key


class DataError(MultistageError):
    """Images that are missing, changed, unreadable or too few."""

    exit_code = 3

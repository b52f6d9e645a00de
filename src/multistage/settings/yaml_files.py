"""Files of settings that cannot be read."""

from pathlib import Path
from typing import Any

from multistage.registry.errors import ConfigError, one_line


def content(file: Path) -> Any:
    """What a file of settings holds.

    Raises:
        ConfigError: It is no YAML, not in UTF-8, or cannot be read.
    """
    import yaml

    try:
        return yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} is not YAML, or not in UTF-8: {one_line(error)}") from None
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror}") from None


def check(folder: Path) -> None:
    """Name a file of a folder, or of one in it, that cannot be read, if there is any.

    Raises:
        ConfigError: There is.
    """
    for file in sorted(folder.rglob("*.yaml")):
        content(file)

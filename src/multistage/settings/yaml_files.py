"""Read settings files, with one-line errors."""

from pathlib import Path
from typing import Any

from multistage.registry.errors import ConfigError, one_line


def content(file: Path) -> Any:
    """Return the content of a settings file.

    Raises:
        ConfigError: It is not YAML, not in UTF-8, or cannot be read.
    """
    import yaml

    try:
        return yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} is not YAML, or not in UTF-8: {one_line(error)}") from None
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror}") from None


def check(folder: Path) -> None:
    """Check that all settings files below a folder can be read.

    Raises:
        ConfigError: One cannot.
    """
    for file in sorted(folder.rglob("*.yaml")):
        content(file)

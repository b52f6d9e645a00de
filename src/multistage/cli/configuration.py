"""``--cfg job``: check and show what would run, without running it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from multistage.cli.many import checked
from multistage.settings import composition

if TYPE_CHECKING:
    from multistage.settings.naming import Run


def shown(words: Sequence[str], several: bool) -> str:
    """Return the configuration of each typed run as a YAML document, with its folder and its command.

    Args:
        words: Settings.
        several: Whether they are those of a sweep.

    Raises:
        ConfigError: A run cannot be done, or there is none.
        DataError: A folder of images is missing, or has too few.
    """
    planned, _, left_out = checked(words) if several else ([composition.plan(words)], [], [])
    notes = [f"# {line}\n" for line in left_out]
    return "".join(notes) + "---\n".join(map(_document, planned))


def _document(run: "Run") -> str:
    import yaml

    from multistage.cli.sweep import rerun
    from multistage.data import listed

    if run.settings.data.root_is_content:  # settings that depend on images need the images
        run.settings.draw.of(listed(run.settings.data))
    content = yaml.safe_dump(dict(run.config), sort_keys=False, allow_unicode=True)
    return f"# {run.folder}\n# {rerun(run).rstrip()}\n{content}"

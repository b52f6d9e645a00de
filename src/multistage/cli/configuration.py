"""``--cfg job``: what would run, checked as a run is, and nothing is done."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from multistage.cli.many import checked
from multistage.settings import composition

if TYPE_CHECKING:
    from multistage.settings.naming import Run


def shown(words: Sequence[str], several: bool) -> str:
    """The configurations of the runs that were typed, in YAML, a document each: where it would lie, how it is typed.

    Args:
        words: Settings.
        several: Whether they are those of a sweep.

    Raises:
        ConfigError: A run cannot be done, or there is none.
        DataError: A folder of images that is not there, or has too few.
    """
    planned, _, left_out = checked(words) if several else ([composition.plan(words)], [], [])
    notes = [f"# {line}\n" for line in left_out]
    return "".join(notes) + "---\n".join(map(_document, planned))


def _document(run: "Run") -> str:
    import yaml

    if run.settings.data.root_is_content:  # what images decide, they have to be there for
        from multistage.data import listed

        run.settings.draw.of(listed(run.settings.data))
    from multistage.cli.sweep import rerun

    content = yaml.safe_dump(dict(run.config), sort_keys=False, allow_unicode=True)
    return f"# {run.folder}\n# {rerun(run).rstrip()}\n{content}"

"""Train one run, or a sweep of them, from a Hydra configuration. The only file of the project that uses Hydra."""

import signal
import sys
import textwrap
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from multistage.config import Config, bears_on_result, check, check_overrides, nearest
from multistage.errors import ConfigError, MultistageError, one_line
from multistage.runs import Record, comparison, folder, line, overridden, read, summary

if TYPE_CHECKING:
    from multistage.training import Progress

CONF = Path(__file__).parent / "conf"
GROUPS = ("model", "data", "geometry", "logger")

HELP = """\
Train a multi-stage network of Jarrett, Kavukcuoglu, Ranzato & LeCun (ICCV 2009) and leave a comparable result.

  python train.py                                              digits, two stages, everything refined: a minute
  python train.py data=caltech101 refine=false readout=lbfgs   a cell of Table 1: only the classifier learns
  python train.py -m model=lcn_maxpool,abs_lcn_avgpool seed=0,1    four runs and their comparison

Settings are KEY=VALUE; -m runs every combination of comma-separated values.
  model      {model}
  data       {data}
  geometry   {geometry} (each data set has its own)
  stages     1, 2                      filters    random
  refine     true, false               readout    softmax; with refine=false also sgd, lbfgs
  draw       which images train        seed       filters, weights, order
  logger     {logger}
  trainer.max_epochs, optimizer.lr, data.validation, data.root, ...: conf/train.yaml has them all, with comments.

Results lie in runs/<name>/<data>/<model>/...; python predict.py RUN IMAGE uses them.
Exit codes: 0 done, 1 failed, 2 bad configuration, 3 bad data, 4 some runs of a sweep failed, 130 and 143 interrupted.
"""


class Run(NamedTuple):
    """A run that was checked, and the folder it belongs into."""

    config: Config
    folder: Path


def main(arguments: Sequence[str]) -> int:
    """Run what the command line asks for; returns the exit code."""
    flags = [a for a in arguments if a.startswith("-")]
    overrides = [a for a in arguments if not a.startswith("-")]
    if {"-h", "--help"} & set(flags):
        print(help_text(), end="")
        return 0
    signal.signal(signal.SIGTERM, _terminate)
    try:
        if other := set(flags) - {"-m", "--multirun"}:
            return show(arguments, other)
        if not flags:
            run = plan(overrides)
            print(summary(execute(run, "bar" if sys.stderr.isatty() else "lines"), run.folder))
            return 0
        return sweep(overrides, arguments)
    except (KeyboardInterrupt, Terminated) as stop:
        print("interrupted; the same command starts the unfinished run again", file=sys.stderr)
        return 143 if isinstance(stop, Terminated) else 130
    except MultistageError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except OSError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


class Terminated(BaseException):
    """SIGTERM arrived."""


def _terminate(*_: object) -> None:
    raise Terminated


SHOWING = {"--help", "--cfg", "-c", "--info", "-i", "--hydra-help", "--shell-completion", "-sc"}


def show(arguments: Sequence[str], flags: set[str]) -> int:
    """What Hydra can show without running anything: the composed configuration, its own state, shell completion."""
    if unknown := {flag.partition("=")[0] for flag in flags} - SHOWING:
        raise ConfigError(
            f"{', '.join(sorted(unknown))} is no option; expected -m or one of {', '.join(sorted(SHOWING))}"
        )
    hydra_main(arguments)
    return 0


def execute(run: Run, progress: "Progress") -> Record:
    """Do one run; a run that is finished already is not done again."""
    from multistage import hardware, protocol
    from multistage.quiet import quiet

    hardware.prepare()
    with quiet():
        return protocol.run(run.config, run.folder, progress)


def sweep(overrides: Sequence[str], arguments: Sequence[str]) -> int:
    """Check every run of a multirun, let Hydra launch them, print the comparison."""
    planned = [plan(job) for job in expand(overrides)]
    print(f"{len(planned)} runs", flush=True)
    FAILED.clear()
    hydra_main(arguments)
    done = [record for run in planned if (record := _outcome(run)) is not None]
    if done:
        print(comparison(done))
    failed = [run.folder for run in planned if _outcome(run) is None]
    for path in failed:
        print(f"failed: {path}", file=sys.stderr)
    return 4 if failed else 0


FAILED: set[Path] = set()
"""Folders of runs that failed in this process."""


def _outcome(run: Run) -> Record | None:
    """The record of a run of this sweep, None if it failed; what an older run left there does not count."""
    try:
        record = None if run.folder in FAILED else read(run.folder)
    except MultistageError:
        return None
    same = record is not None and all(
        record["config"].get(key) == value for key, value in run.config.items() if bears_on_result(key)
    )
    return record if same else None


def hydra_main(arguments: Sequence[str]) -> None:
    """Hand the command line to Hydra: multiruns by its launchers, and its own flags."""
    import hydra
    from hydra.core.hydra_config import HydraConfig
    from omegaconf import DictConfig

    def job(_: DictConfig) -> None:
        run = plan(HydraConfig.get().overrides.task)
        try:
            print(line(execute(run, "none")), flush=True)
        except Exception as error:  # one failed run does not end a sweep
            FAILED.add(run.folder)
            if not isinstance(error, MultistageError):
                traceback.print_exc()
            print(f"error: {one_line(error)}", file=sys.stderr, flush=True)

    sys.argv[1:] = arguments
    hydra.main(config_path=str(CONF), config_name="train", version_base="1.3")(job)()


def expand(overrides: Sequence[str]) -> list[list[str]]:
    """The jobs of a multirun: every combination of values, as Hydra's own sweeper has them."""
    from hydra._internal.core_plugins.basic_sweeper import BasicSweeper

    with _hydra() as loader:
        return [list(job) for job in BasicSweeper.split_arguments(_parse(overrides, loader), None)[0]]


def plan(overrides: Sequence[str]) -> Run:
    """Compose and check a run.

    Raises:
        ConfigError: One line that names key, value and what is allowed.
    """
    with _hydra() as loader:
        parsed = _parse(overrides, loader)
        choices = {}
        for override in parsed:
            if override.key_or_group in GROUPS:
                choices[override.key_or_group] = _choice(override, loader)
        defaults = _compose(tuple(f"{group}={name}" for group, name in choices.items()))
        for override in parsed:
            _check_key(override, defaults)
        config = _compose(tuple(overrides))
        check(config)
        if "geometry" in choices:
            natural = _compose(tuple(f"{group}={name}" for group, name in choices.items() if group != "geometry"))
            defaults = {**defaults, "geometry": natural["geometry"]}
        check_overrides(config, overridden(config, defaults))
    return Run(config, folder(config, defaults))


def help_text() -> str:
    """The help, with the names of all configuration files."""
    names = {g: sorted(p.stem for p in (CONF / g).glob("*.yaml")) for g in GROUPS}
    return HELP.format(**{g: _wrap(", ".join(n)) for g, n in names.items()})


def _wrap(text: str) -> str:
    return textwrap.fill(text, width=100, subsequent_indent=" " * 13)


@contextmanager
def _hydra() -> Iterator[Any]:
    """Hydra's configuration loader over `CONF`; its errors become one line."""
    from hydra import initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    inside_job = GlobalHydra.instance().is_initialized()
    try:
        with nullcontext() if inside_job else initialize_config_dir(str(CONF), version_base="1.3"):
            yield GlobalHydra.instance().config_loader()
    except (HydraException, OmegaConfBaseException) as error:
        line = next(line for line in str(error).splitlines() if line.strip())
        raise ConfigError(line.rstrip(":. ")) from None


def _parse(overrides: Sequence[str], loader: Any) -> list[Any]:
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import OverrideParseException

    parsed = []
    for override in overrides:
        try:
            parsed += OverridesParser.create(loader).parse_overrides([override])
        except OverrideParseException:
            raise ConfigError(
                f"{override!r} cannot be read; expected KEY=VALUE (quote values with special characters)"
            ) from None
    return parsed


def _choice(override: Any, loader: Any) -> str:
    """The file that a group override chooses."""
    if override.is_sweep_override():
        raise ConfigError(f"{override.input_line} names several values; add -m to run each")
    group, name = override.key_or_group, str(override.get_value_element_as_str())
    known = loader.get_group_options(group)
    if name not in known or override.is_delete():
        raise ConfigError(f"{group}={name} does not exist; expected one of {', '.join(known)}{nearest(name, known)}")
    return name


def _check_key(override: Any, defaults: Config) -> None:
    """Refuse keys that nothing reads; only torch's optimisers and schedules take what is not there yet."""
    key = override.key_or_group
    if key in GROUPS or key.startswith("hydra"):
        return
    if override.is_sweep_override():
        raise ConfigError(f"{override.input_line} names several values; add -m to run each")
    open_section = key.partition(".")[0] in ("optimizer", "schedule")
    if (override.is_add() or override.is_force_add() or override.is_delete()) and not open_section:
        raise ConfigError(f"{override.input_line}: only keys of optimizer and schedule can be added or removed")
    known = {*defaults, *(name.rpartition(".")[0] for name in defaults)} - {""}
    if key not in known and not (override.is_add() or override.is_force_add()):
        hint = f"; to give it to torch, write +{override.input_line}" if open_section else ""
        raise ConfigError(f"unknown key {key!r}{nearest(key, known)}{hint}")


@cache
def _compose(overrides: tuple[str, ...]) -> Config:
    """Compose a configuration and flatten it (see `multistage.config`)."""
    from hydra import compose
    from omegaconf import OmegaConf

    composed = compose("train", overrides=list(overrides), return_hydra_config=True)
    choices = composed.hydra.runtime.choices
    own = OmegaConf.masked_copy(composed, [str(key) for key in composed if key != "hydra"])
    config: dict[str, Any] = {}
    for key, value in OmegaConf.to_container(own, resolve=True).items():  # type: ignore[union-attr]
        if key in GROUPS:
            config[str(key)] = choices[key]
        config |= _flatten(str(key), value)
    return config


def _flatten(key: str, value: Any) -> dict[str, Any]:
    if isinstance(value, dict):
        return {k: v for name, inner in value.items() for k, v in _flatten(f"{key}.{name}", inner).items()}
    return {key: value}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

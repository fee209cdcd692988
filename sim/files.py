"""Files of configs/ and of a user's folder laid out like it: which there are, by name, and what they hold. YAML is imported on use."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sim.scenario import Fault, ScenarioError
from sim.scenario.raw import show


def folders_of(configs: str | Path | None, part: str = "scenario") -> tuple[Path, ...]:
    """Return the folders that hold scenarios, policies or studies (``part``), the one that wins first.

    A user's folder must hold one of them.
    """
    here = Path(__file__).resolve().parent
    inside = here / "_configs"  # in a wheel; in a checkout the folder lies beside the package
    ships = (inside if inside.is_dir() else here.parent / "configs") / part
    if configs is None:
        return (ships,)
    own = Path(configs).absolute()
    if not own.is_dir():
        raise ScenarioError([Fault("--configs", show(str(configs)), "no such folder")])
    if not any((own / one).is_dir() for one in ("scenario", "policy", "study")):
        hint = "lay it out like configs/: scenario/NAME.yaml, policy/NAME.yaml"
        raise ScenarioError([Fault("--configs", show(str(configs)), "must hold a folder named scenario or policy", hint)])
    return (own / part, ships)


def files_in(folders: Sequence[Path]) -> dict[str, Path]:
    """Return the file of every name; the first folder that has one wins."""
    return {file.stem: file for folder in reversed(folders) for file in sorted(folder.glob("*.yaml"))}


def plain_in(file: Path) -> dict[str, Any]:
    """Return what a file says, as it stands there; of one that cannot be read that as its ``label``."""
    import yaml

    try:
        content = yaml.load(file.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (yaml.YAMLError, OSError, ValueError):
        content = None
    return content if isinstance(content, dict) else {"label": "(cannot be read)"}


def label_in(file: Path) -> str:
    """Return the label that a file gives."""
    return str(plain_in(file).get("label", ""))


def content_of(file: Path, *, resolve: bool = False) -> Any:
    """Return what a YAML file holds, a mapping, or the Fault that prevents it; resolve: put in what ``${…}`` stands for."""
    import yaml
    from omegaconf import OmegaConf
    from omegaconf.errors import InterpolationResolutionError

    try:
        content = OmegaConf.to_container(OmegaConf.load(file), resolve=resolve)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        return Fault(f"{file}{place}", "", f"broken YAML: {error.problem or error.context}")
    except yaml.YAMLError as error:
        return Fault(str(file), "", f"broken YAML: {first_line(error)}")
    except UnicodeDecodeError as error:
        return Fault(str(file), "", f"must be text in UTF-8, is not at byte {error.start}")
    except (PermissionError, IsADirectoryError) as error:
        return Fault(str(file), "", f"cannot be read: {error.strerror}")
    except RecursionError:
        return Fault(str(file), "", "a value must not contain itself")
    except InterpolationResolutionError as error:
        return Fault(f"{file}: {error.full_key}", "", first_line(error))
    except Exception as error:  # what else YAML and OmegaConf refuse has no common class
        return Fault(str(file), "", f"must be a mapping of keys to values: {first_line(error)}")
    return content if isinstance(content, dict) else Fault(str(file), "", "must be a mapping of keys to values")


def first_line(error: BaseException) -> str:
    """Return an error's first line of text, or its cause's."""
    lines = [line.strip() for one in (error, error.__cause__) if one for line in str(one).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__

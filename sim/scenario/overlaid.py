"""A model with changes laid over it: only what changes is read anew, and the rest is shared."""

from collections.abc import Mapping
from typing import Any, TypeVar, get_args

from pydantic import BaseModel

M = TypeVar("M", bound=BaseModel)


def overlaid(model: M, change: Mapping[str, Any]) -> M:
    """Return a model with the mappings of ``change`` laid over it, key by key; everything else is replaced.

    Raises ValidationError of pydantic where the models refuse the change.
    """
    own = {name: model.__dict__[name] for name in model.model_fields_set}
    found = {name: _over(own.get(name), value) for name, value in change.items()}
    return type(model).model_validate({**own, **found})


def _over(base: Any, change: Any) -> Any:
    if not isinstance(change, Mapping):
        return change
    if isinstance(base, BaseModel):
        return _over(base.model_dump(exclude_unset=True), change) if _of_another_kind(base, change) else overlaid(base, change)
    if isinstance(base, dict):
        return {**base, **{key: _over(base.get(key), value) for key, value in change.items()}}
    return change


def _of_another_kind(base: BaseModel, change: Mapping[str, Any]) -> bool:
    """Return whether a change asks for another model, which the one around it finds by its kind."""
    kind = type(base).model_fields.get("kind")
    return kind is not None and "kind" in change and change["kind"] not in get_args(kind.annotation)

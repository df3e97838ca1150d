"""A run in a file: written whole after every case, read back as it was."""

from __future__ import annotations

from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from app.errors import UserError
from app.evaluation.replies import write_whole
from app.evaluation.values import Run

RUN = "run.json"
LARGEST_RUN_BYTES = 512 * 1024 * 1024
_RUN = TypeAdapter(Run)


def write(run: Run, folder: Path) -> Path:
    """The run's file in this folder, with the run in it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{folder} cannot be made: {error.strerror}") from error
    write_whole(folder / RUN, _RUN.dump_json(run, indent=1))
    return folder / RUN


def read(place: Path) -> Run:
    """The run that lies at this place: its file, or the folder that holds it. Raises `UserError` when there is none."""
    path = place / RUN if place.is_dir() else place
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_RUN_BYTES)
        return _RUN.validate_json(data)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise UserError(f"{path} is not the record of a run: {where}: {first['msg']}") from error

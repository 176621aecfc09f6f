"""Harmful changes to the code, as data: each is a fault somebody could make, and the tests that must notice it.

A file of this folder is a kind: `care.toml` holds changes that send the wrong person to a door, and so on.
"""

import tomllib
from pathlib import Path
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

ROOT: Final = Path(__file__).resolve().parents[2]
_KINDS: Final = Path(__file__).parent
_Words = Annotated[str, Meta(min_length=1)]


class Change(Struct, frozen=True, forbid_unknown_fields=True):
    """One harmful change: `before` stands once in `file` and becomes `after`.

    `hurts` says who would suffer and how. `tests` are the narrowest tests that notice, as pytest names them. A change
    that turns out to change nothing keeps its place with the reason in `argued`, so that nobody tries it again.
    """

    name: _Words
    file: _Words
    before: _Words
    after: str
    hurts: _Words
    tests: tuple[str, ...] = ()
    argued: str = ""
    kind: str = ""

    def applied(self, text: str) -> str:
        """The file with the change; raises ValueError where it does not apply any more."""
        if text.count(self.before) != 1:
            found = text.count(self.before)
            raise ValueError(f"{self.kind}: {self.name}: its text stands {found} times in {self.file}")
        return text.replace(self.before, self.after)


class _Kind(Struct, frozen=True, forbid_unknown_fields=True):
    change: tuple[Change, ...]


def all_changes() -> list[Change]:
    """Every change of every kind, kinds by name."""
    return [
        msgspec.structs.replace(change, kind=file.stem)
        for file in sorted(_KINDS.glob("*.toml"))
        for change in msgspec.convert(tomllib.loads(file.read_text()), _Kind).change
    ]

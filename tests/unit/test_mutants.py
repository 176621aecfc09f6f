"""The harmful changes of tests/mutants are about this code: each applies where it says, and names tests that exist."""

import ast
from collections import Counter
from functools import cache

import pytest

from tests.mutants.changes import ROOT, Change, all_changes

_CHANGES = all_changes()


@pytest.mark.parametrize("kind", sorted({change.kind for change in _CHANGES}))
def test_every_harmful_change_still_applies(kind: str) -> None:
    """One that does not is a guard that moved: whoever moved it takes the change along."""
    for change in (change for change in _CHANGES if change.kind == kind):
        change.applied(_text(change.file))
        assert change.before != change.after, change.name


@cache
def _text(file: str) -> str:
    return (ROOT / file).read_text()


def test_every_harmful_change_is_tried_or_argued() -> None:
    twice = [name for name, times in Counter(change.name for change in _CHANGES).items() if times > 1]
    assert twice == [], "two changes of one name"
    assert [change.name for change in _CHANGES if bool(change.tests) == bool(change.argued)] == []


def test_every_test_that_is_to_notice_exists() -> None:
    named = {test for change in _CHANGES for test in change.tests}
    assert [test for test in sorted(named) if not _exists(test)] == []


def _exists(test: str) -> bool:
    path, _, name = test.partition("::")
    if not name or not (ROOT / path).is_file():
        return (ROOT / path).exists()
    return name.partition("[")[0] in _functions(path)


@cache
def _functions(file: str) -> set[str]:
    return {
        node.name for node in ast.parse(_text(file)).body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def test_a_change_whose_text_is_gone_or_stands_twice_is_told() -> None:
    change = Change("n", "f", before="a", after="b", hurts="somebody", tests=("t",))
    assert change.applied("cad") == "cbd"
    for text in ("c", "aa"):
        with pytest.raises(ValueError, match="stands"):
            change.applied(text)


def test_files_of_tests_have_names_of_their_own() -> None:
    """Changes name tests of several folders in one run, where two files of one name are one module."""
    names = Counter(file.name for file in (ROOT / "tests").rglob("test_*.py"))
    assert [name for name, files in names.items() if files > 1] == []

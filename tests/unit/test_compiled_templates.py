"""Templates are compiled once a checkout, as modules are: a page that is compiled while people wait keeps all of them waiting."""

from pathlib import Path

import pytest
from jinja2 import DictLoader, Environment

from backend.pages.rendering import CompiledTemplates


class CompiledError(AssertionError):
    """Somebody has compiled a template."""


def _page(folder: Path, text: str, monkeypatch: pytest.MonkeyPatch, *, compiles: bool = True) -> str:
    """The page as a process of its own shows it."""
    kept = CompiledTemplates(str(folder))
    environment = Environment(loader=DictLoader({"page.html": text}), autoescape=True, bytecode_cache=kept)

    def refuse(*_: object, **__: object) -> None:
        raise CompiledError

    if not compiles:
        monkeypatch.setattr(environment, "compile", refuse)
    return environment.get_template("page.html").render()


def test_what_one_process_has_compiled_no_other_compiles_until_its_text_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    folder = tmp_path / "__pycache__"
    assert _page(folder, "您好", monkeypatch) == "您好"
    assert _page(folder, "您好", monkeypatch, compiles=False) == "您好"
    with pytest.raises(CompiledError):
        _page(folder, "你好", monkeypatch, compiles=False)
    assert _page(folder, "你好", monkeypatch) == "你好"


def test_a_checkout_nobody_may_write_to_shows_its_pages_all_the_same(monkeypatch: pytest.MonkeyPatch):
    """Another user's checkout, or an image's: each process compiles for itself, as Python does with modules."""
    assert _page(Path("/proc/nobody/keeps"), "您好", monkeypatch) == "您好"

"""Documents that would lie if nobody compared them with the code."""

from pathlib import Path

from backend.orders.lifecycle import diagram

ROOT = Path(__file__).resolve().parents[2]


def test_the_readme_draws_the_table_of_moves() -> None:
    """The picture is generated; a move added to the table must be drawn."""
    assert diagram() in (ROOT / "README.md").read_text()


def test_the_readme_begins_with_a_chinese_section() -> None:
    """The people it is built for read 中文 first."""
    assert "README.zh-CN.md" in (ROOT / "README.md").read_text().splitlines()[3]


def test_every_runtime_dependency_has_its_line() -> None:
    """A dependency nobody can argue for should not be one."""
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    text = (ROOT / "DECISIONS.md").read_text()
    names = [requirement.split(">")[0].split("[")[0].split(";")[0].strip() for requirement in project["dependencies"]]
    assert [name for name in names if name not in text] == []

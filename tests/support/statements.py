"""What the program writes, read from its own SQL: every table, the columns it updates, and the tables whose rows it locks."""

import ast
import importlib
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

BACKEND = Path(__file__).resolve().parents[2] / "backend"
_OTHERS = ("simulation",)  # the owner's door, not the application's role
_INSERT = re.compile(r"\bINSERT INTO (\w+)(?: AS \w+)? ?\(([^)]*)\)", re.IGNORECASE)
_DELETE = re.compile(r"\bDELETE FROM (\w+)", re.IGNORECASE)
_UPDATE = re.compile(r"\bUPDATE (\w+)(?: (?!SET\b)\w+)? SET (.*)", re.IGNORECASE | re.DOTALL)
_LOCK = re.compile(r"\bFOR (?:NO KEY UPDATE|UPDATE|SHARE|KEY SHARE)\b(?: OF (\w+))?", re.IGNORECASE)
_FROM = re.compile(r"\b(?:FROM|JOIN) (\w+)(?: (?:AS )?(\w+))?", re.IGNORECASE)
_BEGINS = re.compile(r"\s*(?:SELECT|WITH \w|INSERT|UPDATE|DELETE)\b")
_ENDS = re.compile(r"\b(WHERE|FROM|RETURNING)\b", re.IGNORECASE)


class Writes:
    """What one role must be granted, by table."""

    def __init__(self) -> None:
        self.inserted: set[str] = set()
        self.deleted: set[str] = set()
        self.updated: dict[str, set[str]] = defaultdict(set)
        self.locked: set[str] = set()

    def read(self, sql: str) -> None:
        """Add what one statement does."""
        text = " ".join(sql.split())
        for table, _ in _INSERT.findall(text):
            self.inserted.add(table)
        self.deleted.update(_DELETE.findall(text))
        for start in re.finditer(r"\bUPDATE \w+(?: (?!SET\b)\w+)? SET ", text, re.IGNORECASE):
            found = _UPDATE.match(text, start.start())
            if found:
                self.updated[found[1]].update(_targets(found[2]))
        for conflict in re.finditer(r"\bDO UPDATE SET ", text, re.IGNORECASE):
            into = list(_INSERT.finditer(text, 0, conflict.start()))[-1]
            self.updated[into[1]].update(_targets(text[conflict.end() :]))
        for lock in _LOCK.finditer(text):
            names = {alias or table: table for table, alias in _FROM.findall(text[: lock.start()])}
            tables = set(names.values())
            if lock[1]:
                self.locked.add(names.get(lock[1], lock[1]))
            elif len(tables) == 1:
                self.locked |= tables
            else:
                self.locked.add(_FROM.findall(text[: lock.start()])[-1][0])


def _targets(assignments: str) -> Iterator[str]:
    """The columns on the left of a SET list."""
    depth, word, expecting = 0, "", True
    for token in re.findall(r"[()]|,|=|'(?:[^']|'')*'|\w+|\S", assignments):
        if token == "(":
            depth += 1
        elif token == ")":
            depth -= 1
            if depth < 0:
                return
        elif depth == 0:
            if _ENDS.fullmatch(token):
                return
            if token == ",":
                expecting = True
            elif token == "=" and expecting:
                yield word
                expecting = False
            else:
                word = token


def _text(node: ast.AST, names: Mapping[str, Any]) -> str:
    """The words of an expression that makes a text, as far as they stand in the source or under one of the names."""
    if isinstance(node, ast.Name):
        node = ast.Constant(names.get(node.id))
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    if isinstance(node, ast.BinOp):
        return _text(node.left, names) + " " + _text(node.right, names)
    return ""


def _texts(tree: ast.Module, names: Mapping[str, Any]) -> Iterator[tuple[ast.expr, str]]:
    """Every text of a file, put together where it is joined with +; docstrings are told apart by having no SQL."""
    inner: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.BinOp):
            inner.update(id(child) for child in ast.walk(node) if child is not node)
    for node in ast.walk(tree):
        if isinstance(node, ast.BinOp | ast.Constant) and id(node) not in inner and (text := _text(node, names)):
            yield node, text


def _own() -> Iterator[Path]:
    """The files of the five processes."""
    return (path for path in sorted(BACKEND.rglob("*.py")) if path.relative_to(BACKEND).parts[0] not in _OTHERS)


def written_by_the_platform() -> Writes:
    """All writes of the five processes."""
    writes = Writes()
    for path in _own():
        for _, text in _texts(ast.parse(path.read_text()), {}):
            writes.read(text)
    return writes


def statements() -> Iterator[tuple[str, str]]:
    """Yield each whole statement the five processes send, with the file and line it stands in; names in it are looked up."""
    for path in _own():
        place, tree = path.relative_to(BACKEND.parent), ast.parse(path.read_text())
        names = vars(importlib.import_module(".".join(place.with_suffix("").parts)))
        used = {part.id for node in ast.walk(tree) if isinstance(node, ast.BinOp)
                for part in ast.walk(node) if isinstance(part, ast.Name)}  # fmt: skip
        parts = {id(node.value) for node in tree.body if isinstance(node, ast.AnnAssign) and _target(node) in used}
        for node, text in _texts(tree, names):
            if _BEGINS.match(text) and id(node) not in parts:
                yield f"{place}:{node.lineno}", text


def _target(node: ast.AnnAssign) -> str:
    return node.target.id if isinstance(node.target, ast.Name) else ""

"""Rules of the house that no linter knows; each says why it is one."""

import ast
import re
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCES = [*(ROOT / "backend").rglob("*.py"), *(ROOT / "dispatch").rglob("*.py")]
SQL = re.compile(r"\b(SELECT|INSERT INTO|UPDATE|DELETE FROM)\s+[a-z_(]+", re.MULTILINE)
WRITES = re.compile(r"\b(?:INSERT INTO|UPDATE|DELETE FROM)\s+([a-z_]+)")


def _strings(path: Path) -> list[str]:
    tree = ast.parse(path.read_text())
    docs = {
        ast.get_docstring(n, clean=False)
        for n in ast.walk(tree)
        if isinstance(n, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
    }
    return [
        n.value
        for n in ast.walk(tree)
        if isinstance(n, ast.Constant) and isinstance(n.value, str) and n.value not in docs
    ]


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_sql_lives_where_it_is_looked_for() -> None:
    """Whoever asks what touches a table reads the queries of a slice, the outbox, the notes and the feed, and has seen everything."""
    homes = {"outbox.py", "auditing.py", "feed.py", "embedded.py"}
    strays = [
        _name(path)
        for path in SOURCES
        if path.name not in homes
        and not path.name.endswith("queries.py")  # a slice with much SQL has `offer_queries.py` and others beside it
        and path.parent.name != "database"
        and any(SQL.search(s) for s in _strings(path))
    ]
    assert strays in ([], ["backend/processes/web.py"]), strays  # a readiness probe asks SELECT 1


def test_whoever_speaks_to_our_own_processes_has_decided_about_proxies() -> None:
    """A desktop's proxy cannot see this machine's loopback; HTTP clients ask for it unless they are told not to."""
    undecided = []
    for path in SOURCES:
        for call in ast.walk(ast.parse(path.read_text())):
            if isinstance(call, ast.Call):
                name, given = ast.unparse(call.func), {keyword.arg for keyword in call.keywords}
                if (name == "httpx.AsyncClient" and "trust_env" not in given) or (
                    name == "connect" and "proxy" not in given
                ):
                    undecided.append(f"{_name(path)}:{call.lineno}")
    assert undecided == []


_HOLDS = {"unit_of_work", "as_nobody", "transaction", "connection"}
_WAITS = {
    "sleep", "wait", "wait_for", "gather", "to_thread", "run_in_executor", "pause", "turn", "publish", "password_fits",
    "built", "improve", "carry_over", "place_by_hand", "prepared", "settled", "standing", "swap", "candidates", "explain_order",
}  # fmt: skip


def test_nobody_waits_or_plans_with_a_connection_in_hand() -> None:
    """A connection is what everybody else needs, and its locks even more: between its statements nothing takes long."""
    waiting = []
    for path in (ROOT / "backend").rglob("*.py"):
        if "simulation" in path.parts or path.parent.name == "database":
            continue
        for block in ast.walk(ast.parse(path.read_text())):
            if not isinstance(block, ast.AsyncWith):
                continue
            opened = {_called(item.context_expr) for item in block.items}
            if opened & _HOLDS:
                inside = {_called(node) for statement in block.body for node in ast.walk(statement)}
                waiting += [f"{_name(path)}:{block.lineno} {name}" for name in inside & _WAITS]
    assert waiting == []


def _called(node: ast.AST) -> str:
    """The last part of the name of what is called."""
    return ast.unparse(node.func).rsplit(".", 1)[-1] if isinstance(node, ast.Call) else ""


def test_each_table_has_one_writing_slice() -> None:
    """Two writers of one table sooner or later disagree about what a row means."""
    writers: dict[str, set[str]] = defaultdict(set)
    for path in SOURCES:
        slice_name = path.relative_to(ROOT).parts[1]
        if (
            path.suffix == ".py"
            and slice_name not in {"simulation", "processes", "database"}
            and "backend" in path.parts
        ):
            for text in _strings(path):
                for table in WRITES.findall(text):
                    writers[table].add(slice_name)
    writers.pop("excluded", None)
    shared = {table: sorted(slices) for table, slices in writers.items() if len(slices) > 1}
    assert shared == {}


def test_no_file_grows_beyond_reading() -> None:
    """Every codebase without a limit grows a file nobody reads."""
    long = [f"{_name(p)}: {n}" for p in SOURCES if (n := len(p.read_text().splitlines())) > 500]
    assert long == []


def test_only_the_clock_reads_the_clock() -> None:
    """Time is an argument; a stray now() cannot be replayed."""
    ticking = re.compile(r"datetime\.(now|utcnow|today)\(|\btime\.time\(|date\.today\(")
    stray = [_name(p) for p in SOURCES if p.name != "clock.py" and ticking.search(p.read_text())]
    assert stray == []


def test_handlers_and_structs_import_their_types_for_real() -> None:
    """Litestar and msgspec resolve annotations at run time; a TYPE_CHECKING import fails when the app starts."""
    assert [_name(p) for p in SOURCES if "TYPE_CHECKING" in p.read_text()] == []


def test_lock_files_name_no_host() -> None:
    """Where packages come from is the installer's business; what they are is ours, by hash."""
    for name in ("requirements.lock", "requirements-dev.lock"):
        text = (ROOT / name).read_text()
        assert "://" not in text
        assert "--hash=sha256:" in text

"""Every rule that may keep a worker from an order, and every thing that may have to give, has words in both languages."""

import ast
import re
from pathlib import Path
from typing import get_args

import pytest

from backend.orders.views import NOT_FOR_THIS
from backend.pages import rule_words
from backend.scheduling.explaining import Kind

DISPATCH = Path(__file__).resolve().parents[2] / "dispatch"
_HAN = re.compile("[\u4e00-\u9fff]")


def _codes() -> set[str]:
    """What the planner may name as a rule: what `refusal` returns, what insertion refuses with, and what it explains."""
    found = {NOT_FOR_THIS, "resident_busy", "unreadable"}  # told by placing by hand, and by who reads it
    for name in ("rules.py", "insertion.py", "explain.py", "outcome.py"):
        for node in ast.walk(ast.parse((DISPATCH / name).read_text())):
            if isinstance(node, ast.Return) and name == "rules.py":
                found |= {n.value for n in ast.walk(node) if isinstance(n, ast.Constant) and isinstance(n.value, str)}
            if isinstance(node, ast.Call) and ast.unparse(node.func) in {"WorkerRefusal", "Obstacle", "Refusal"}:
                given = [argument for argument in node.args[1:] if not isinstance(argument, ast.Call)]
                found |= {
                    n.value
                    for a in given
                    for n in ast.walk(a)
                    if isinstance(n, ast.Constant) and isinstance(n.value, str)
                }
    return {code for code in found if re.fullmatch(r"[a-z_]+", code)}


def test_every_rule_of_the_planner_has_words_in_both_languages():
    assert _codes() >= {"no_skill", "gender", "no_shift", "no_gap", "crew_together", "provider_excluded", "window"}
    assert _codes() - set(rule_words.RULES) == set()
    for code, (zh, en) in rule_words.RULES.items():
        assert _HAN.search(zh), code
        assert en, code
        assert not _HAN.search(en), code


@pytest.mark.parametrize("language", ["zh", "en"])
def test_everything_that_may_have_to_give_has_words(language: str):
    for kind in get_args(Kind):
        said = rule_words.remedy(kind, 900, "Wang", 2, language)
        assert "{" not in said
        assert bool(_HAN.search(said)) is (language == "zh"), said
    assert rule_words.missing(0, language) == ""
    assert rule_words.missing(900, language)

"""What the planner's own check and the judge of the tests say of a plan; they must not differ."""

from collections import Counter
from collections.abc import Iterable
from typing import Final

from dispatch import Plan, Problem, Violation, check_plan
from tests.support.judge import judge

_IN_ONE_WORD: Final = {
    "way": "travel", "home": "return", "box": "capacity", "never fetched": "pickup_first", "ride": "max_ride",
    "fetched for nothing": "fetched_only", "served and unserved": "served_and_unserved", "together": "crew_start",
    "fetched by another": "pickup_once", "seats": "crew_size", "no such seat": "crew_size", "twice the same": "crew_distinct",
    "two providers": "crew_provider", "another's stop": "worker", "a hold that has not begun": "kind", "nobody": "unknown_worker",
    "unknown visit": "unknown_visit", "unserved but unknown": "unknown_visit", **dict.fromkeys(("skills", "gender", "refused", "provider"), "unfit"),
}  # fmt: skip
"""The check's words for the judge's; of whom a seat is not for, the check names the first reason only."""


def agree(told: Iterable[Violation], judged: Iterable[str]) -> bool:
    """Tell whether both name the same rules as often; of one kind of equipment the check names the last instant only."""
    rules = [one.rule for one in told], [one.partition(":")[0] for one in judged]
    here, there = (Counter(_IN_ONE_WORD.get(rule, rule) for rule in some) for some in rules)
    for rule in ("unfit", "equipment"):
        here[rule], there[rule] = min(here[rule], 1), min(there[rule], 1)
    if here["crew_provider"]:
        del here["equipment"], there["equipment"]  # whose things a crew of two providers keeps is nowhere said
    return here == there


def verdict(problem: Problem, plan: Plan) -> list[Violation]:
    """The rules a plan breaks, found by two who have never seen each other. Fails when one finds what the other does not."""
    told, judged = check_plan(problem, plan), judge(problem, plan)
    assert agree(told, judged), (told, judged)
    return told

"""A plan made ready once is asked about many times: whatever goes wrong with one question, the next finds it as it was."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from dispatch import (
    Insertion,
    Link,
    Plan,
    Prepared,
    Problem,
    Refusal,
    Seat,
    Shift,
    Stop,
    Visit,
    Worker,
    WorkerRefusal,
    check_plan,
    explain,
    insert,
    quote,
)
from dispatch.outcome import refused

WAYS = np.array([[0, 600], [600, 0]], np.int32)
LIFT = Seat(frozenset(), 600, heavy=True)


def _worker(name: str, **more: object) -> Worker:
    return replace(
        Worker(id=name, provider="p", skills=frozenset(), start_place=0, shifts=(Shift(0, 20_000),)), **more
    )  # fmt: skip


def _asked() -> tuple[Problem, Plan, Visit]:
    """A day with one visit, and another that is to begin an hour after it."""
    there, new = (
        Visit("there", 1, (Seat(frozenset(), 600),), 0, 9000),
        Visit("new", 1, (Seat(frozenset(), 600),), 0, 9000),
    )
    links = (Link("there", "new", 3600, 9000),)
    problem = Problem(workers=(_worker("w"),), visits=(there, new), links=links, travel={"car": WAYS})
    return problem, Plan({"w": (Stop("w", "visit", "there", 0, 1, 600, 1200),)}, ("new",)), new


def _starts(problem: Problem, plan: Plan, visit: Visit, prepared: Prepared) -> list[tuple[int, int]]:
    return [(slot.start_s, slot.cost) for slot in quote(problem, plan, visit, range(0, 9000, 300), prepared)]


@pytest.mark.parametrize("where", ["_ask", "_placed", "_refused", "put_in"])
def test_a_question_that_fails_leaves_nothing_behind(where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The visit asked about is tied to one of the plan; broken off in the middle, the next answers are the same as ever."""
    problem, plan, new = _asked()
    alone = replace(problem, links=())
    late = replace(new, earliest_s=0, latest_s=10) if where == "_refused" else new
    prepared = Prepared(problem, plan)
    fresh = [_starts(day, plan, new, Prepared(problem, plan)) for day in (problem, alone)]
    with _broken(where, monkeypatch), pytest.raises(ZeroDivisionError):
        insert(problem, plan, late, prepared)
    assert [_starts(day, plan, new, prepared) for day in (problem, alone)] == fresh
    assert insert(alone, plan, new, prepared) == insert(alone, plan, new, Prepared(problem, plan))


@contextmanager
def _broken(where: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """One step of an insertion does its work and then fails."""
    from dispatch import insertion

    whole = getattr(insertion, where)

    def fails(*arguments: object) -> None:
        whole(*arguments)
        raise ZeroDivisionError

    with monkeypatch.context() as patched:
        patched.setattr(insertion, where, fails)
        yield


def test_who_may_lift_nothing_is_said_to_be_kept_away_by_that() -> None:
    """`max_heavy` of 0 is a rule about the person like any other."""
    heavy = Visit("heavy", 1, (LIFT,), 0, 9000)
    problem = Problem(workers=(_worker("w", max_heavy=0),), visits=(heavy,), travel={"car": WAYS})
    told = explain(problem, Plan({"w": ()}, ("heavy",)), "heavy")
    assert [(one.worker, one.rule, one.detail) for one in told.obstacles] == [("w", "heavy", "0 heavy seats at most")]
    assert told.summary == "heavy"


def test_of_rules_as_common_the_first_is_named() -> None:
    problem = Problem(workers=(_worker("a"), _worker("b")), visits=(), travel={"car": WAYS})
    reasons = [WorkerRefusal("a", "refused"), WorkerRefusal("b", "gender")]
    assert refused(_asked()[2], reasons, problem).summary == "refused"


@pytest.mark.slow
def test_a_refusal_is_the_same_in_every_process() -> None:
    """Neither the summary nor what the check says of an unserved visit follows the seed of hashes."""
    root = Path(__file__).parents[2]
    program = "from tests.unit.test_prepared_plans import told; print(told())"
    said = {
        subprocess.run(
            [sys.executable, "-c", program], env={"PYTHONHASHSEED": str(seed), "PYTHONPATH": str(root)}, cwd=root,
            capture_output=True, text=True, check=True, timeout=120,
        ).stdout
        for seed in range(4)
    }  # fmt: skip
    assert len(said) == 1


def told() -> str:
    """What is said about a visit four people of four providers are kept from, and about one that all of them could do."""
    rules = {"no_skill": "a", "refused": "b", "gender": "c", "provider_excluded": "d"}
    problem = Problem(
        workers=tuple(_worker(name, provider=name) for name in "abcd"), visits=(_asked()[2],), travel={"car": WAYS}
    )
    refusal: Refusal = refused(problem.visits[0], [WorkerRefusal(w, rule) for rule, w in rules.items()], problem)
    return f"{refusal.summary} {check_plan(problem, Plan(dict.fromkeys('abcd', ()), ('new',)), unserved=True)}"


def test_every_seat_of_a_crew_carries_the_load() -> None:
    """Two visits by the same two people, each with a load of three: a bag of five holds one of them, whoever has which seat."""
    crew = (Seat(frozenset(), 600), Seat(frozenset(), 600))
    visits = tuple(Visit(name, 1, crew, 0, 9000, load=3) for name in "ab")
    problem = Problem(
        workers=tuple(_worker(w, capacity=c) for w, c in (("v", 99), ("w", 5))), visits=visits, travel={"car": WAYS}
    )
    first = insert(problem, Plan({"v": (), "w": ()}, ("a", "b")), visits[0])
    assert isinstance(first, Insertion)
    assert isinstance(insert(problem, first.plan, visits[1]), Refusal)
    from dispatch import construct

    for begun in (False, True):
        routes = {w: tuple(replace(s, locked=begun) for s in route) for w, route in first.plan.routes.items()}
        found = construct(problem, Plan(routes, ("b",)))
        assert found.unserved == ("b",)
        assert check_plan(problem, found) == []

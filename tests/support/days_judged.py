"""Days and plans drawn from numbers, judged twice: `python -m tests.support.days_judged --days 100000`.

A day and its plans depend on their number alone, so that what is found can be looked at again with `--first NUMBER --days 1`.
"""

import argparse
import random
import sys
from collections import Counter
from collections.abc import Iterable

from backend.processes.warming import use_kernels
from dispatch import Plan, Problem, check_plan
from tests.support.brute import paths
from tests.support.judge import judge
from tests.support.random_days import random_day, random_plans, spoilt
from tests.support.verdict import agree

_SPOILT = 4  # plans made of each plan by changing something
_SAID = 500  # days between two words about how far a long run has come
_ERRORS = (ArithmeticError, AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)


def disagreements(numbers: Iterable[int], counted: Counter[str]) -> list[str]:
    """Where the planner ends with an error or a plan that breaks a rule, and where its check and the judge differ about one."""
    found: list[str] = []
    for number in numbers:
        try:
            _judge_day(number, counted, found)
        except _ERRORS as error:  # told as found, and the other days are judged
            found.append(f"{number}: {type(error).__name__}: {error}")
        counted["days"] += 1
    return found


def _judge_day(number: int, counted: Counter[str], found: list[str]) -> None:
    chance = random.Random(number)
    for problem, plan in random_plans(chance, random_day(chance)):
        counted["made"] += 1
        counted.update(paths(problem, plan))
        found += [f"{number}: made and breaks {rule}" for rule in _both(problem, plan, number, found)]
        bad = plan
        for _ in range(_SPOILT):
            bad = spoilt(chance, problem, bad if chance.random() < 0.3 else plan)
            rules = _both(problem, bad, number, found)
            counted["spoilt"] += 1
            counted["broken"] += bool(rules)
            counted.update(rule.partition(":")[0] for rule in rules)


def _both(problem: Problem, plan: Plan, number: int, found: list[str]) -> list[str]:
    """What the judge says; that the check says otherwise is noted."""
    told, judged = check_plan(problem, plan), judge(problem, plan)
    if not agree(told, judged):
        found.append(f"{number}: check finds {told}, judge {judged}")
    return judged


def main() -> int:
    """0 when nobody disagreed."""
    parser = argparse.ArgumentParser(description="Let two judges look at random days.")
    parser.add_argument("--days", type=int, default=100_000)
    parser.add_argument("--first", type=int, help="number of the first day; else drawn, and printed")
    asked = parser.parse_args()
    use_kernels()
    first = random.SystemRandom().randrange(2**32) if asked.first is None else asked.first
    sys.stdout.write(f"days {first} to {first + asked.days - 1}\n")
    counted: Counter[str] = Counter()
    wrong = 0
    for at in range(first, first + asked.days, _SAID):
        found = disagreements(range(at, min(at + _SAID, first + asked.days)), counted)
        wrong += len(found)
        sys.stdout.write("".join(f"{line}\n" for line in found))
        sys.stdout.write(
            f"{counted['days']} days, {counted['made']} plans made, {counted['spoilt']} spoilt, {wrong} wrong\n"
        )
        sys.stdout.flush()
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

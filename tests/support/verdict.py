"""What the planner's own check and the judge of the tests say of a plan; they must not differ."""

from dispatch import Plan, Problem, Violation, check_plan
from tests.support.judge import judge


def verdict(problem: Problem, plan: Plan) -> list[Violation]:
    """The rules a plan breaks, found by two who have never seen each other. Fails when one finds some and the other none."""
    told, judged = check_plan(problem, plan), judge(problem, plan)
    assert bool(told) == bool(judged), (told, judged)
    return told

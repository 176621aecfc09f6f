"""`python -m dispatch solve|check FILE`: plan a benchmark day, or judge a plan, without the platform."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from dispatch import check_plan, construct, improve
from dispatch.files import InstanceError, hhcrsp_objective, plan_from_json, plan_to_json, read_hhcrsp


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when the plan breaks no rule, 1 when it does, 2 for a file that cannot be read."""
    parser = argparse.ArgumentParser(prog="dispatch")
    parser.add_argument("command", choices=("solve", "check"))
    parser.add_argument("file", type=Path)
    parser.add_argument("plan", type=Path, nargs="?")
    parser.add_argument("--format", choices=("hhcrsp",), default="hhcrsp")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args(arguments)
    try:
        problem = read_hhcrsp(asked.file)
        if asked.command == "solve":
            plan = improve(problem, construct(problem), asked.seconds, asked.seed)
            if asked.out:
                asked.out.write_bytes(plan_to_json(plan, hhcrsp_objective(problem, plan)))
        else:
            plan = plan_from_json(problem, asked.plan)
    except InstanceError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    broken = check_plan(problem, plan, unserved=True)
    for violation in broken:
        sys.stdout.write(f"{violation.rule}: {violation.subject} {violation.detail}\n")
    sys.stdout.write(f"objective {hhcrsp_objective(problem, plan):.3f}, unserved {len(plan.unserved)}\n")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())

"""Planning home-care days: a pure library, asked through this front door and usable alone.

Times are integer seconds from an origin the caller chooses. It knows no clock, no database and no web.
"""

from dispatch.check import Violation, check_plan
from dispatch.cost import plan_cost
from dispatch.insertion import insert, quote
from dispatch.outcome import Insertion, Refusal, Slot, WorkerRefusal
from dispatch.plan import Plan, Stop, remove
from dispatch.problem import Break, Delivery, Equipment, Link, Problem, Promise, Seat, Shift, Visit, Weights, Worker
from dispatch.rules import refusal
from dispatch.search import construct
from dispatch.solver import improve, warm
from dispatch.timing import retime

__all__ = [
    "Break",
    "Delivery",
    "Equipment",
    "Insertion",
    "Link",
    "Plan",
    "Problem",
    "Promise",
    "Refusal",
    "Seat",
    "Shift",
    "Slot",
    "Stop",
    "Violation",
    "Visit",
    "Weights",
    "Worker",
    "WorkerRefusal",
    "check_plan",
    "construct",
    "improve",
    "insert",
    "plan_cost",
    "quote",
    "refusal",
    "remove",
    "retime",
    "warm",
]

"""Planning home-care days: a pure library, asked through this front door and usable alone.

Times are integer seconds from an origin the caller chooses. It knows no clock, no database and no web.
"""

from dispatch.check import Violation, check_plan
from dispatch.cost import plan_cost
from dispatch.exact import Proof, prove
from dispatch.explain import Alternative, Explanation, Obstacle, Remedy, explain
from dispatch.happenings import (
    Cancelled,
    Event,
    NewOrder,
    NoAccess,
    Overrun,
    PointClosed,
    SlowTravel,
    WorkerBack,
    WorkerEarly,
    WorkerIll,
    WorkerLate,
)
from dispatch.insertion import insert, quote, warm_quotes
from dispatch.kernels import (
    SETTING as KERNELS_SETTING,
)
from dispatch.kernels import (
    MissingKernelError,
    forget_unused_kernels,
    keep_kernels_in,
    kernels_counted,
    kernels_folder,
    kernels_writable,
    only_kept_kernels,
)
from dispatch.live import Change, Replanned, replan
from dispatch.outcome import Insertion, Refusal, Slot, WorkerRefusal
from dispatch.plan import Plan, Stop, remove
from dispatch.prepared import Prepared
from dispatch.problem import Break, Delivery, Equipment, Link, Problem, Promise, Seat, Shift, Visit, Weights, Worker
from dispatch.relaxing import Relaxation, relaxed, sentence
from dispatch.rules import refusal
from dispatch.search import construct
from dispatch.solver import improve, warm
from dispatch.timing import retime

__all__ = [
    "KERNELS_SETTING",
    "Alternative",
    "Break",
    "Cancelled",
    "Change",
    "Delivery",
    "Equipment",
    "Event",
    "Explanation",
    "Insertion",
    "Link",
    "MissingKernelError",
    "NewOrder",
    "NoAccess",
    "Obstacle",
    "Overrun",
    "Plan",
    "PointClosed",
    "Prepared",
    "Problem",
    "Promise",
    "Proof",
    "Refusal",
    "Relaxation",
    "Remedy",
    "Replanned",
    "Seat",
    "Shift",
    "Slot",
    "SlowTravel",
    "Stop",
    "Violation",
    "Visit",
    "Weights",
    "Worker",
    "WorkerBack",
    "WorkerEarly",
    "WorkerIll",
    "WorkerLate",
    "WorkerRefusal",
    "check_plan",
    "construct",
    "explain",
    "forget_unused_kernels",
    "improve",
    "insert",
    "keep_kernels_in",
    "kernels_counted",
    "kernels_folder",
    "kernels_writable",
    "only_kept_kernels",
    "plan_cost",
    "prove",
    "quote",
    "refusal",
    "relaxed",
    "remove",
    "replan",
    "retime",
    "sentence",
    "warm",
    "warm_quotes",
]

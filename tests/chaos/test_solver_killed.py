"""The solver is killed in the middle of a search; the next search must not notice."""

import asyncio
import os
import signal
import time
from multiprocessing import active_children, get_context
from multiprocessing.connection import wait

from backend.processes.solving import SolverPool
from dispatch import Plan, Problem, check_plan, construct, plan_cost
from dispatch.formats import read_instance
from tests.support.replaying import DAYS

DAY = DAYS / "hhcrsp" / "InstanzCPLEX_HCSRP_10_1.json.gz"


async def _killed_in_the_middle(pool: SolverPool, problem: Problem, plan: Plan) -> Plan | None:
    searching = asyncio.create_task(pool.improve(problem, plan, 60.0, 1))
    await asyncio.sleep(1.0)
    assert not searching.done()
    for child in active_children():
        os.kill(child.pid or 0, signal.SIGKILL)
    return await asyncio.wait_for(searching, 10)


async def test_a_search_whose_process_is_killed_gives_up_at_once_and_the_next_one_works():
    """The plan in force stays, nobody waits for a dead process, and a new one takes its place."""
    problem = read_instance(DAY, "hhcrsp").problem
    plan = construct(problem)
    with SolverPool() as pool:
        assert await pool.improve(problem, plan, 0.2, 1) is not None
        assert await _killed_in_the_middle(pool, problem, plan) is None
        better = await asyncio.wait_for(pool.improve(problem, plan, 1.0, 1), 180)
    assert better is not None
    assert check_plan(problem, better) == []
    assert plan_cost(problem, better) <= plan_cost(problem, plan)


async def test_a_search_that_is_killed_takes_nobody_with_it():
    """Kernels are compiled by children of the same process, and another pool's search is somebody else's too."""
    problem = read_instance(DAY, "hhcrsp").problem
    plan = construct(problem)
    compiling = get_context("spawn").Process(target=time.sleep, args=(600,), daemon=True)
    compiling.start()
    try:
        with SolverPool() as other, SolverPool() as pool:
            assert await other.improve(problem, plan, 0.1, 1) is not None
            assert await pool.improve(problem, plan, 0.1, 1) is not None
            children = active_children()
            pool.stop()
            ended = await asyncio.to_thread(wait, [child.sentinel for child in children], 10)
            assert len(ended) == 1
            assert compiling.is_alive()
            assert await other.improve(problem, plan, 0.1, 1) is not None
    finally:
        compiling.kill()
        compiling.join()

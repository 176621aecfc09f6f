"""The kernel that looks once through a route: how late each stop may be, what is in the box, whether its times matter."""

from dispatch.engine.compiling import entry
from dispatch.engine.day import DROP, FAR, PICKUP, Day, State
from dispatch.engine.timing import home_of


@entry
def refresh(d: Day, s: State, w: int) -> None:
    """A route's latest starts, boxes and plainness, from scratch."""
    nodes = d.nodes
    end = nodes + d.workers + w
    shift_end = d.shift[d.worker[w].shift_end - 1].end if d.worker[w].shift_end > d.worker[w].shift_first else -1
    s.node[end].latest = FAR
    plain = d.worker[w].simple == 1
    n = s.node[end].before
    behind = FAR
    first = True
    while n < nodes:
        latest = min(d.node[n].closes, shift_end - d.node[n].duration - home_of(d, w, d.node[n].place))
        if not first:
            latest = min(latest, behind - s.node[n].leg - d.node[n].duration) if d.worker[w].simple else latest
        first = False
        s.node[n].latest = latest
        behind = latest
        v = d.node[n].visit
        if (
            d.node[n].coupled
            or d.visit[v].ride < FAR
            or (
                d.node[n].priced and (d.visit[v].due < FAR or d.visit[v].wait_rate > 0.0 or d.visit[v].moved_rate > 0.0)
            )
        ):
            plain = False
        n = s.node[n].before
    s.worker[w].plain = 1 if plain else 0
    boxes = d.worker[w].box_taken
    s.node[nodes + w].boxes = boxes
    n = s.node[nodes + w].after
    while n < nodes:
        if d.node[n].kind == PICKUP:
            boxes += d.visit[d.node[n].visit].box
        elif d.node[n].kind == DROP:
            boxes -= d.visit[d.node[n].visit].box
        s.node[n].boxes = boxes
        n = s.node[n].after
    s.worker[w].stale = 0

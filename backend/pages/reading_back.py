"""The words an operator reads to a caller, and what they may promise: generated, so that everybody hears the same truth."""

from typing import Final

from backend.orders.progress import VisitView
from backend.orders.reading_back import ReadBack, Truth
from backend.pages.facts import names, service_in
from backend.pages.times import Calendar, minutes, money
from backend.residents.names import name_in

_TRUTH: Final = {
    Truth.SETTLED: ("{provider}已接单，可以说：“时间和人都定了。”", "{provider} has accepted. You may say: the time and the people are settled."),
    Truth.AT_ONCE: ("{provider}自动接单。下单后可以说：“时间和人都定了。”",
                    "{provider} accepts by itself. Once it is placed you may say: the time and the people are settled."),
    Truth.ASKED: ("{provider}还没接单，约{within}回话。请说：“时间定了；谁来，接单后告诉您。”",
                  "{provider} has not accepted yet and answers in {within}. Say: the time is settled; who comes you hear later."),
    Truth.NOBODY: ("还没有机构。请说：“时间定了，我们找好人给您回电话。”",
                   "No provider yet. Say: the time is settled, and we ring you when we have found somebody."),
}  # fmt: skip


def script(visit: VisitView, resident: str, when: Calendar) -> str:
    """What is read to the caller, in the order of time, service, people, place and price."""
    order, service, crew = visit.order, service_in(when.language, visit), names(visit, when.language)
    lasts, price = minutes(visit.length_s, when.language), money(order.price_fen, when.language)
    day, weekday = when.day(order.window_from), when.weekday(order.window_from)
    hours = when.spoken_window(order.window_from, order.window_to).removeprefix(day).lstrip(", ")
    on = day if day == weekday else f"{day}，{weekday}" if when.language == "zh" else f"{day}, {weekday}"
    if when.language == "en":
        who = f", {crew} expected" if crew else ""
        return (
            f"Let me read it back: {on}, {hours}. {service} for {name_in(resident, 'en')}, "
            f"{lasts}{who}, at the home on record. {price} before subsidies, paid when it is done. Is that right?"
        )
    who = f"，预计{crew}来" if crew else ""
    return (
        f"我复述一遍。{on}，{hours}到。给{resident}{service}，{lasts}{who}。到{visit.address}。"
        f"{price}，补贴还没扣，做完再付。您看可以吗？"
    )


def truth(said: ReadBack, when: Calendar) -> str:
    """What may be promised of who comes."""
    within = minutes(said.answers_within_s or 0, when.language)
    text = _TRUTH[said.truth][0 if when.language == "zh" else 1]
    return text.format(provider=name_in(said.provider or "", when.language), within=within.removeprefix("约"))

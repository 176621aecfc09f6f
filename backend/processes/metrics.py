"""Numbers about one process, printed as Prometheus reads them. A label never holds anything of a person or an order."""

from typing import Final, Literal

from msgspec import Struct

MEDIA_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
Labels = tuple[tuple[str, str], ...]


class Metric(Struct, frozen=True):
    """One number, or one for each set of labels; `text` says what it is and in which unit."""

    name: str
    kind: Literal["gauge", "counter"]
    text: str


class Metrics:
    """The numbers of this process as they are now."""

    def __init__(self) -> None:
        self._values: dict[Metric, dict[Labels, float]] = {}

    def put(self, metric: Metric, value: float, **labels: str) -> None:
        """It is this now."""
        self._values.setdefault(metric, {})[tuple(labels.items())] = value

    def add(self, metric: Metric, by: float = 1, **labels: str) -> None:
        """It is more by so much."""
        values = self._values.setdefault(metric, {})
        values[tuple(labels.items())] = values.get(tuple(labels.items()), 0) + by

    def text(self) -> str:
        """Everything, in the text format of Prometheus."""
        lines: list[str] = []
        for metric, values in self._values.items():
            lines += [f"# HELP {metric.name} {metric.text}", f"# TYPE {metric.name} {metric.kind}"]
            for labels, value in values.items():
                named = ",".join(f'{key}="{text}"' for key, text in labels)
                lines.append(f"{metric.name}{{{named}}} {value:g}" if named else f"{metric.name} {value:g}")
        return "".join(f"{line}\n" for line in lines)

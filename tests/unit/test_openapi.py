"""The interface as it was agreed: a change of it shows in the difference of one file.

Write the file anew with `python -m tests.unit.test_openapi`.
"""

import json
from pathlib import Path
from typing import Any

from backend.config import Settings
from backend.processes.description import described
from backend.processes.web import create_app

SNAPSHOT = Path(__file__).with_name("openapi.json")


def interface() -> dict[str, Any]:
    app = create_app(Settings(database_url="", demo=True), None)
    return json.loads(json.dumps(described(app), default=str))


def test_the_interface_is_the_one_that_was_committed():
    assert interface() == json.loads(SNAPSHOT.read_text()), "run python -m tests.unit.test_openapi and look at the diff"


def test_every_address_names_its_operation_and_says_what_it_does():
    ids = []
    for path, operations in interface()["paths"].items():
        assert path.startswith("/v1/")
        for operation in operations.values():
            if isinstance(operation, dict) and "operationId" in operation:
                ids.append(operation["operationId"])
                assert operation.get("description"), path
    assert len(ids) == len(set(ids)) > 10


def test_every_position_names_its_axis_and_its_datum():
    """Maps in mainland China are some hundred metres off, and x before y is no law: who sends or reads one is told."""
    found = [
        (name, axis, schema.get("description", ""))
        for name, model in interface()["components"]["schemas"].items()
        for axis, schema in model.get("properties", {}).items()
        if axis in {"x", "y", "longitude", "latitude", "lng", "lat"}
    ]
    assert len(found) >= 6
    for name, axis, description in found:
        words = ("ongitude", "east") if axis in {"x", "longitude", "lng"} else ("atitude", "north")
        assert any(word in description for word in words), (name, axis)
        assert "WGS-84" in description or "`datum`" in description, (name, axis)
    datums = [
        m["properties"]["datum"]
        for m in interface()["components"]["schemas"].values()
        if "datum" in m.get("properties", {})
    ]
    assert datums
    assert all("gcj02" in datum["description"] for datum in datums)


if __name__ == "__main__":
    SNAPSHOT.write_text(json.dumps(interface(), indent=1, ensure_ascii=False, sort_keys=True) + "\n")

"""docker-compose.yml cannot be run everywhere, but it can be read everywhere."""

from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]


def test_every_process_is_a_service_with_the_demos_entry_command() -> None:
    """Compose and demo must start the same things the same way."""
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    for process in ("web", "gateway", "relay", "dispatcher", "jobs"):
        assert services[process]["command"] == [process]
        assert (ROOT / "backend" / "processes" / f"{process}.py").exists()
    assert services["migrate"]["command"] == ["migrate"]
    assert services["postgres"]["image"] == "postgres:18"


def test_no_service_is_privileged_and_no_secret_is_written_down() -> None:
    """A password in the file would be everybody's password."""
    text = (ROOT / "docker-compose.yml").read_text()
    assert "privileged" not in text
    for line in text.splitlines():
        if "PASSWORD:" in line or "SECRET_KEY:" in line:
            assert "${" in line, line


def test_the_image_does_not_run_as_root() -> None:
    """Whoever breaks out of the process should not be root outside it."""
    assert "USER yinling" in (ROOT / "Dockerfile").read_text()

"""The demo for a plain user: started without a terminal, answering, killed or stopped, and nothing left behind.

Run as root in a checkout: `python3 .ci/plain_user.py CHECKOUT USER`. The user's desktop has a proxy, no language, another
time zone and a strict umask; root has used this machine before.
"""

import os
import pwd
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

PORT = 18_700
START_S = 900  # in a new checkout everything is compiled first, beside the tests on the same two cores
DESKTOP = {
    "LANG": "C", "TZ": "America/St_Johns", "http_proxy": "http://127.0.0.1:9", "ALL_PROXY": "socks5://127.0.0.1:9",
    "no_proxy": "", "PGPORT": "5433",
}  # fmt: skip
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def started(checkout: Path, user: pwd.struct_passwd) -> "subprocess.Popen[bytes]":
    """`yinling demo` as the user, far from a terminal."""
    environment = {"PATH": os.environ["PATH"], "HOME": user.pw_dir, **DESKTOP}
    return subprocess.Popen(
        [checkout / ".venv" / "bin" / "yinling", "demo", "--port", str(PORT)], cwd="/", env=environment, umask=0o077,
        user=user.pw_uid, group=user.pw_gid, extra_groups=[], start_new_session=True, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def until_it_answers(demo: "subprocess.Popen[bytes]") -> None:
    """Wait for the first page."""
    give_up_at = time.monotonic() + START_S
    while True:
        if demo.poll() is not None:
            sys.exit(f"the demo ended with {demo.returncode} before it answered")
        try:
            with DIRECT.open(f"http://127.0.0.1:{PORT}/", timeout=10) as page:
                shown = page.read().decode()
        except OSError:
            if time.monotonic() > give_up_at:
                sys.exit("the demo did not answer")
            time.sleep(0.2)
            continue
        if "银龄" not in shown:
            sys.exit("something else answered")
        return


def left(user: pwd.struct_passwd) -> list[str]:
    """Processes and temporary folders of the user."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if entry.stat().st_uid == user.pw_uid:
                found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace"))
        except OSError:
            continue
    common = Path(tempfile.gettempdir())
    return [*found, *(str(path) for path in common.glob("yinling-*") if path.stat().st_uid == user.pw_uid)]


def main() -> None:
    """Once stopped as a closed terminal does it, once killed, once stopped by Ctrl-C."""
    checkout, user = Path(sys.argv[1]), pwd.getpwnam(sys.argv[2])
    before = set(left(user))
    for number in (signal.SIGHUP, signal.SIGKILL, signal.SIGINT):
        began = time.monotonic()
        demo = started(checkout, user)
        until_it_answers(demo)
        sys.stdout.write(f"the demo answered {user.pw_name} after {time.monotonic() - began:.1f} s\n")
        sys.stdout.flush()
        demo.send_signal(number)
        demo.wait(30)
        give_up_at = time.monotonic() + 20
        while rest := set(left(user)) - before:
            if time.monotonic() > give_up_at:
                sys.exit(f"after {number.name} these were left: {rest}")
            time.sleep(0.2)


if __name__ == "__main__":
    main()

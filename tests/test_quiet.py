"""What MAX does of its own accord is kept from the visitor's machine: its log thread sleeps, and it reports nothing."""

import json
import socket
import sys
import threading
from contextlib import suppress

import pytest

from tests.source_tree import python

pytestmark = pytest.mark.slow

# Each has run a model.
PROCESSES = {
    "compiled": "import gpt2\ngpt2.load().run('Once')\n",
    "interpreted": """
import numpy as np
from gpt2.interpreter.interpreter import Interpreter
from gpt2.interpreter.kernels import adopt
from gpt2.interpreter.programs import PROGRAMS, VALUES, trace
adopt()
Interpreter(trace(PROGRAMS[0])).run(list(VALUES.values()))
""",
}
# How often each thread goes to sleep in a second in which nothing is asked of the process.
COUNT = """
import json, time
from pathlib import Path
def sleeps():
    found = {}
    for task in Path("/proc/self/task").iterdir():
        lines = (task / "status").read_text().splitlines()
        found[task.name] = next(int(line.split()[1]) for line in lines if line.startswith("voluntary"))
    return found
time.sleep(1)  # MAX's threads wait for more work
before = sleeps()
time.sleep(1)
print(json.dumps([count - before.get(task, 0) for task, count in sleeps().items()]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the system's lateness can be set on Linux alone")
@pytest.mark.parametrize("process", PROCESSES.values(), ids=PROCESSES)
def test_no_thread_of_a_process_that_has_run_a_model_wakes_up_more_than_some_times_a_second(process: str) -> None:
    sleeps = json.loads(python(process + COUNT))
    assert len(sleeps) > 2  # MAX's threads are there
    assert max(sleeps) < 500, sleeps


def requests_of(process: str, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The first line of each request that a process makes of the network, through the proxy that it is told of."""
    lines = []

    def listen(proxy: socket.socket) -> None:
        with suppress(OSError):  # it is closed at the end
            while True:
                caller, _ = proxy.accept()
                lines.append(caller.recv(1000).decode(errors="replace").splitlines()[0])
                caller.close()

    with socket.create_server(("127.0.0.1", 0)) as proxy:
        threading.Thread(target=listen, args=(proxy,), daemon=True).start()
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{proxy.getsockname()[1]}")
        python(process + "import time\ntime.sleep(2)\n")
        proxy.shutdown(socket.SHUT_RDWR)
    return lines


def test_a_process_that_runs_a_model_asks_nobody_for_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MODULAR_TELEMETRY_ENABLED", raising=False)
    assert requests_of(PROCESSES["compiled"], monkeypatch) == []


def test_whoever_wants_max_to_report_can_have_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODULAR_TELEMETRY_ENABLED", "true")
    asked = requests_of(PROCESSES["compiled"], monkeypatch)
    assert asked and all(line.startswith("CONNECT telemetry.modular.com") for line in asked)

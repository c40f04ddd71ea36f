"""What a host is said to bear."""

import re

from gpt2.engine.cache import KVCache, full_bytes
from gpt2.engine.engine import Engine
from gpt2.engine.run import Run
from gpt2.model.interventions import Interventions
from gpt2.model.sampling import Sampling
from pages.server import capacity as module
from pages.server.capacity import VISIT_BYTES, capacity


def test_as_many_runs_fit_as_the_host_has_room_for_squeezed_ones(engine: Engine, monkeypatch) -> None:
    run = Run(engine, tuple([7] * (engine.config.n_positions - 1)), Interventions())
    for _ in range(2):
        run.advance(Sampling(seed=1))
    run.squeeze(0)
    monkeypatch.setattr(module, "machine_bytes", lambda: 690_000_000)
    monkeypatch.setenv("GPT2_TRACES_MB", "1000")
    for spare in (0, -5, 100_000_000, 10**9, 10**12):
        monkeypatch.setattr(module, "spare_bytes", lambda spare=spare: spare)
        said = capacity("bundled", engine.config)
        assert said.startswith("bundled is loaded; of the host's 690 MB")
        fit = int(re.search(r"about (\d+) runs", said)[1])
        needed = fit * (run.nbytes + VISIT_BYTES)
        assert needed <= max(0, min(spare, 10**9)) <= 1.1 * needed + 1.1 * (run.nbytes + VISIT_BYTES)


def test_a_full_cache_takes_the_bytes_it_is_said_to(engine: Engine) -> None:
    cache = KVCache(engine.config)
    full = [engine.checkpoint.weights["wpe.weight"].reshape(engine.config.n_positions, engine.config.n_head, -1)]
    cache.extend(full * engine.config.n_layer, full * engine.config.n_layer)
    assert cache.nbytes == full_bytes(engine.config)

"""Many at once: each is answered, and with what one alone is answered."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.queries.service.sites import serving
from tests.synthetic import random_run

REQUESTS, AT_ONCE = 1000, 200
PATHS = ("runs", "layers", "view?share=1", "features", "feature?feature=layer/1/1", "communities")


@pytest.mark.exhaustive
def test_a_thousand_requests_at_once_are_all_answered(tmp_path: Path) -> None:
    def ask(path: str) -> tuple[str, bytes]:
        with urlopen(f"{site.where}api/v1/{path}", timeout=120) as reply:
            return path, reply.read()

    with serving(tmp_path, [random_run(tmp_path / "run", (8, 7, 6), seed=3)]) as site:
        alone = [ask(path) for path in PATHS]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            found = Counter(pool.map(ask, [PATHS[i % len(PATHS)] for i in range(REQUESTS)]))
    assert set(found) == set(alone)
    assert sum(found.values()) == REQUESTS

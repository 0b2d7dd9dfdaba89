from functools import cache

import pytest

from tests.lib_graph.analysis.ablation.benches import SUBJECTS, bench_of


@pytest.fixture(scope="session")
def benches(tmp_path_factory):
    """Make the bench of a subject, once in a session and when it is first asked for."""
    return cache(lambda name: bench_of(SUBJECTS[name](), tmp_path_factory.mktemp("run")))


@pytest.fixture(params=SUBJECTS)
def bench(request, benches):
    return benches(request.param)


@pytest.fixture
def transformer(benches):
    return benches("transformer")

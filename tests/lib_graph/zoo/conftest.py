import pytest


@pytest.fixture(scope="module", autouse=True)
def traced_once() -> None:
    """Trace every module: that is what is tested here."""

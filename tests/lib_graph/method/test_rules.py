import pytest

from lib_graph.errors import UsageError
from lib_graph.method.rules import RULES, Rule


def integral(rule, power):
    return sum(w * a**power for a, w in zip(rule.nodes, rule.weights, strict=True))


@pytest.mark.parametrize("name", RULES)
def test_weights_sum_to_one(name):
    assert sum(Rule.named(name).weights) == pytest.approx(1, abs=1e-14)


def test_gauss_legendre_is_exact_for_polynomials():
    for power in range(2 * 5):
        assert integral(Rule.named("gauss-legendre", 5), power) == pytest.approx(1 / (power + 1))


def test_trapezoid_is_exact_for_lines_and_converges():
    assert integral(Rule.named("trapezoid", 2), 1) == pytest.approx(1 / 2)
    errors = [abs(integral(Rule.named("trapezoid", n + 1), 2) - 1 / 3) for n in (8, 16)]
    assert errors[0] / errors[1] == pytest.approx(4, rel=1e-6)


@pytest.mark.parametrize(
    ("name", "points"), [("gradient", 2), ("trapezoid", 1), ("gauss-legendre", 0), ("simpson", 3)]
)
def test_rules_that_do_not_exist(name, points):
    with pytest.raises(UsageError):
        Rule.named(name, points)

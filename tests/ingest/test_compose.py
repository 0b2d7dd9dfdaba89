"""docker-compose.yml, as text: there is no Docker where the tests run."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
LINES = [line for line in TEXT.splitlines() if line.strip() and not line.strip().startswith("#")]


def test_it_is_neo4j_5_community() -> None:
    assert [line.strip() for line in LINES if "image:" in line] == ["image: neo4j:5.26-community"]


def test_its_server_is_the_one_that_the_tests_run_on() -> None:
    pom = (ROOT / "tools" / "neo4j" / "pom.xml").read_text(encoding="utf-8")
    assert re.findall(r"<neo4j.version>(5\.26)\.\d+</neo4j.version>", pom) == ["5.26"]


def test_ports_are_open_to_this_machine_only() -> None:
    ports = re.findall(r'- "([^"]*:\d+)"$', "\n".join(LINES), re.MULTILINE)
    assert ports == ["127.0.0.1:7474:7474", "127.0.0.1:7687:7687"]


def test_the_password_comes_from_the_environment_or_it_does_not_start() -> None:
    [line] = [line for line in LINES if "NEO4J_AUTH:" in line]
    assert re.search(r'"neo4j/\$\{NEO4J_PASSWORD:\?[^}]+\}"', line)
    # The image turns NEO4J_… into settings, and refuses to start on one it does not know.
    assert not re.search(r"^\s*-?\s*NEO4J_PASSWORD\b", "\n".join(LINES), re.MULTILINE)


def test_data_stays_in_a_named_volume() -> None:
    assert "      - neo4j-data:/data" in LINES
    assert LINES[-2:] == ["volumes:", "  neo4j-data:"]


def test_there_is_a_health_check() -> None:
    assert any("healthcheck:" in line for line in LINES)
    assert any("RETURN 1" in line for line in LINES)


def test_gds_is_an_option_that_is_off() -> None:
    assert re.search(r'^ +# NEO4J_PLUGINS: \'\["graph-data-science"\]\'$', TEXT, re.MULTILINE)
    assert not any("graph-data-science" in line for line in LINES)


def test_it_is_yaml() -> None:
    services = yaml.safe_load(TEXT)["services"]
    assert set(services) == {"neo4j"}
    assert services["neo4j"]["healthcheck"]["test"][0] == "CMD-SHELL"

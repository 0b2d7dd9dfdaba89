"""A Neo4j server: what it is, its schema, plug-ins, memory and clock."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

from ingest.schema import FEATURE_INDEXES, NODES
from lib_graph.errors import StoreError, StoreUnavailableError
from queries.asking.runs import RunInfo
from queries.doctor.checks import Asking, Check

__all__ = ["check_server"]

VERSION = """
CALL dbms.components() YIELD name, versions, edition
WHERE name = 'Neo4j Kernel'
RETURN versions[0] AS version, edition
"""
DATABASE = "CALL db.info() YIELD name RETURN name"
CONSTRAINTS = """
SHOW CONSTRAINTS YIELD type, labelsOrTypes, properties
WHERE type ENDS WITH 'UNIQUENESS' AND properties = ['id']
RETURN labelsOrTypes[0] AS label
"""
INDEXES = "SHOW INDEXES YIELD name, state RETURN name, state"
APOC = "RETURN apoc.version() AS version"
SETTINGS = """
SHOW SETTINGS YIELD name, value
WHERE name IN ['server.memory.pagecache.size', 'db.memory.transaction.max']
RETURN name, value
"""
HEAP = """
CALL dbms.queryJmx('java.lang:type=Memory') YIELD attributes
RETURN attributes.HeapMemoryUsage.value.properties.max AS bytes
"""
CLOCK = "RETURN timestamp() AS milliseconds"

INTERACTION_BYTES = 160  # measured: 34 of a relationship, and 3 records of 41 for its five numbers
LEAST_HEAP = 512 << 20
LEAST_TRANSACTION = 64 << 20
SKEW_S = 5.0
HERE = ("localhost", "127.0.0.1", "::1")


def check_server(asking: Asking, runs: Sequence[RunInfo]) -> list[Check]:
    """Return what there is to say of a server that answers."""
    looks: dict[str, Callable[[Asking, Sequence[RunInfo]], Check]] = {
        "server": _version,
        "database": _database,
        "encryption": _encryption,
        "constraints": _constraints,
        "indexes": _indexes,
        "GDS": _gds,
        "APOC": _apoc,
        "page cache": _page_cache,
        "heap": _heap,
        "transactions": _transactions,
        "clock": _clock,
    }
    return [_said(name, look, asking, runs) for name, look in looks.items()]


def _said(
    name: str,
    look: Callable[[Asking, Sequence[RunInfo]], Check],
    asking: Asking,
    runs: Sequence[RunInfo],
) -> Check:
    """Return what a look finds; a server may keep to itself what its owner did not allow."""
    try:
        return look(asking, runs)
    except StoreUnavailableError:
        raise
    except StoreError:
        return Check("store", name, "the server does not say")


def _version(asking: Asking, _runs: Sequence[RunInfo]) -> Check:
    row = _row(asking, VERSION)
    return Check("store", "server", f"Neo4j {row['version']}, {row['edition']}")


def _database(asking: Asking, _runs: Sequence[RunInfo]) -> Check:
    row = _row(asking, DATABASE)
    return Check("store", "database", row["name"])


def _encryption(asking: Asking, _runs: Sequence[RunInfo]) -> Check:
    address = urlsplit(asking.store.name)
    if "+s" in address.scheme:
        return Check("store", "encryption", "TLS")
    if address.hostname in HERE:
        return Check("store", "encryption", "none, on this machine")
    return Check(
        "store", "encryption", "none", "lacking",
        "The password and the graph cross the network as they are.",
        f"Let the server speak TLS, and write {address.scheme}+s://{address.netloc}",
    )  # fmt: skip


def _constraints(asking: Asking, _runs: Sequence[RunInfo]) -> Check:
    there = {row["label"] for row in asking.rows(CONSTRAINTS)}
    missing = [table.label for table in NODES if table.label not in there]
    if not missing:
        return Check("store", "constraints", f"all {len(NODES)}")
    return Check(
        "store", "constraints", f"none for {', '.join(missing)}", "lacking",
        "Every id is looked up by reading all nodes of its label.",
        f"lib-graph ingest RUN --store {asking.store.name}",
    )  # fmt: skip


def _indexes(asking: Asking, _runs: Sequence[RunInfo]) -> Check:
    state = {row["name"]: row["state"] for row in asking.rows(INDEXES)}
    ours = [text.split()[2] for text in FEATURE_INDEXES]
    offline = [f"{name} is {how}" for name, how in state.items() if how != "ONLINE"]
    if offline:
        return Check(
            "store", "indexes", ", ".join(offline), "wrong",
            "Texts that need it are slow until it is online, and never are fast if it failed.",
            f"lib-graph cypher 'CALL db.awaitIndexes(300)' --write --store {asking.store.name}",
        )  # fmt: skip
    if missing := [name for name in ours if name not in state]:
        return Check(
            "store", "indexes", f"no {', '.join(missing)}", "lacking",
            "The features of a run are found by reading those of all runs.",
            f"lib-graph ingest RUN --store {asking.store.name}",
        )  # fmt: skip
    return Check("store", "indexes", f"{len(state)}, all online")


def _gds(asking: Asking, _runs: Sequence[RunInfo]) -> Check:
    version = asking.store.capabilities.gds
    return Check("store", "GDS", version or "not installed, and not needed")


def _apoc(asking: Asking, _runs: Sequence[RunInfo]) -> Check:
    try:
        version = _row(asking, APOC)["version"]
    except StoreUnavailableError:
        raise
    except StoreError:
        version = None
    return Check("store", "APOC", version or "not installed, and not needed")


def _page_cache(asking: Asking, runs: Sequence[RunInfo]) -> Check:
    from lib_graph.support.memory import format_bytes, parse_bytes

    needed = INTERACTION_BYTES * sum(run.interactions for run in runs)
    graph = f"the graph about {format_bytes(needed)}"
    size = _setting(asking, "server.memory.pagecache.size")
    if size is None:
        return Check("store", "page cache", f"half of what the heap leaves; {graph}")
    found = f"{format_bytes(parse_bytes(size))}; {graph}"
    if parse_bytes(size) >= needed:
        return Check("store", "page cache", found)
    wanted = 1 << (needed >> 20).bit_length()
    return Check(
        "store", "page cache", found, "lacking",
        "What does not fit is read from the disk, again for every question.",
        f"server.memory.pagecache.size={wanted}m in neo4j.conf",
    )  # fmt: skip


def _heap(asking: Asking, _runs: Sequence[RunInfo]) -> Check:
    from lib_graph.support.memory import format_bytes

    size = int(_row(asking, HEAP)["bytes"])
    if size >= LEAST_HEAP:
        return Check("store", "heap", format_bytes(size))
    return Check(
        "store", "heap", format_bytes(size), "lacking",
        "Loads are cut into smaller pieces, and questions about a whole run may be refused.",
        "server.memory.heap.max_size=1g in neo4j.conf",
    )  # fmt: skip


def _transactions(asking: Asking, _runs: Sequence[RunInfo]) -> Check:
    from lib_graph.support.memory import format_bytes, parse_bytes

    most = parse_bytes(_setting(asking, "db.memory.transaction.max") or "0")
    found = f"at most {format_bytes(most)} each" if most else "as large as the heap allows"
    if not 0 < most < LEAST_TRANSACTION:
        return Check("store", "transactions", found)
    return Check(
        "store", "transactions", found, "lacking",
        "Loads are cut into smaller pieces, and questions about a whole run may be refused.",
        "db.memory.transaction.max=256m in neo4j.conf",
    )  # fmt: skip


def _setting(asking: Asking, name: str) -> str | None:
    """Return a setting as the server shows it, None where it is not set.

    Raises StoreError if the server does not show it, as to users who may not see it.
    """
    values: dict[str, str | None] = {r["name"]: r["value"] for r in asking.rows(SETTINGS)}
    if name not in values:
        raise StoreError(f"{asking.store.name!r} does not show {name}")
    return values[name]


def _row(asking: Asking, text: str) -> dict[str, Any]:
    """Return the first row of a text; raises StoreError if there is none, or null in it."""
    row = next(iter(asking.rows(text)), None)
    if row is None or None in row.values():
        raise StoreError(f"{asking.store.name!r} does not say")
    return row


def _clock(asking: Asking, _runs: Sequence[RunInfo]) -> Check:
    before = time.time()
    row = _row(asking, CLOCK)
    ahead = row["milliseconds"] / 1000 - (before + time.time()) / 2
    if abs(ahead) <= SKEW_S:
        return Check("store", "clock", "as here")
    return Check(
        "store", "clock", f"{abs(ahead):.0f} s {'ahead' if ahead > 0 else 'behind'}", "lacking",
        "The newest run, which is the default, is told by the clock of who loaded it.",
        "timedatectl set-ntp true",
    )  # fmt: skip

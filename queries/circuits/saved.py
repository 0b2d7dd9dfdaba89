"""The circuits that a store keeps with a run: (:Circuit)-[:CONTAINS]->(:Feature).

A circuit keeps its interactions by the ids of their ends. It is a part of its run's graph: where an
interaction is no longer there, the circuit is refused, and deleting a run deletes its circuits.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lib_graph.errors import ConflictError, NotFoundError, UsageError
from lib_graph.run.circuit import SCORES, AnswerScores, CircuitFile, Scores, read_circuit
from lib_graph.support.arguments import checked_class
from lib_graph.support.tables import Record
from queries.asking.reader import Reader
from queries.asking.statements import read_text
from queries.asking.tables import Table
from queries.circuits.circuit import Circuit, circuit_from_pairs
from queries.circuits.compared import Comparison, compare_circuits

if TYPE_CHECKING:
    from ingest.store import GraphStore, Transaction

__all__ = ["SavedCircuits"]

ADVICE = "List them with 'lib-graph circuits'."


@checked_class
class SavedCircuits:
    """The saved circuits of one run: `graph.circuits`."""

    def __init__(self, store: GraphStore, run: str, *, skips: bool = False) -> None:
        self._store = store
        self._run = run
        self._skips = skips

    def __repr__(self) -> str:
        return f"<The saved circuits of run {self._run}: table() lists them>"

    def table(self) -> Table:
        """Return a row per circuit, by name.

        Columns: name, features, interactions, score, baseline, random_score, metric, query,
        created.
        """
        reader = self._reader()
        return Table(reader.frame(read_text("circuits")), reader.statements)

    def load(self, name: str) -> Circuit:
        """Return a saved circuit.

        Raises NotFoundError for a name that is not there, and ConflictError if the graph no longer
        has one of its interactions.
        """
        reader = self._reader()
        rows = reader.rows(read_text("circuit_by_id"), id=self._id(name))
        if not rows:
            raise NotFoundError("circuit", name, list(self.table().frame["name"]), ADVICE)
        (row,) = rows
        pairs = [_pair(text, self._run) for text in row["interactions"]]
        found = json.loads(row["query"]), pairs, row["features"]
        circuit = self._circuit(reader, name, *found)
        return dataclasses.replace(circuit, scores=_scores(row))

    def save(self, circuit: Circuit, name: str, *, replace: bool = False) -> Circuit:
        """Store a circuit under a name and return it as it is stored now.

        To save the same interactions again changes nothing but the scores, if there are any.
        Raises ConflictError if the name belongs to another circuit and not `replace`, or if the
        circuit is of another run, UsageError for an empty circuit or name.
        """
        self._check(circuit, name)
        if not replace:
            self.check_free(name, circuit)
        if not self._holds(name, circuit):
            self._write(circuit, name)
        elif circuit.scores:
            self._execute("score_circuit", id=self._id(name), **_noted(circuit.scores))
        return self.load(name)

    def check_free(self, name: str, circuit: Circuit | None = None) -> None:
        """Raise ConflictError if a name belongs to another circuit, None: to any at all.

        To be asked before what takes long is done for that name. Raises UsageError for an empty
        one.
        """
        _check_name(name)
        if self._row(name) and (circuit is None or not self._holds(name, circuit)):
            raise ConflictError(
                f"There is another circuit {name!r} of run {self._run}. Choose another name, or "
                "--replace it."
            )

    def score(self, name: str, tested: CircuitFile) -> None:
        """Note what a test found of the circuit that is saved under a name.

        Raises ConflictError if another circuit was saved under it meanwhile.
        """
        scores = tested.scores()
        if scores is None or set(self.load(name).pairs()) != set(tested.pairs()):
            raise ConflictError(
                f"Under {name!r} there is not the circuit that was tested: it was saved anew "
                "meanwhile. Test it again."
            )
        self._execute("score_circuit", id=self._id(name), **_noted(scores))

    def import_file(
        self, path: str | Path, *, name: str | None = None, replace: bool = False
    ) -> Circuit:
        """Store the circuit of a JSON file, under `name` or the name it has there, and return it.

        Raises UsageError if it has no name, ConflictError if it is of another run, or of a graph
        with other interactions, and what `save` raises.
        """
        found = read_circuit(Path(path))
        name = name or found.name
        if name is None:
            raise UsageError(f"The circuit in {str(path)!r} has no name. Give it one with --name.")
        self._check_run(name, found.run)
        circuit = self._circuit(self._reader(), name, found.query, found.pairs())
        circuit = dataclasses.replace(circuit, scores=found.scores())
        return self.save(circuit, name, replace=replace)

    def rename(self, name: str, new: str) -> Circuit:
        """Give a saved circuit another name and return it; what a test found of it stays.

        Raises NotFoundError if there is none of this name, UsageError for an empty new one,
        ConflictError if another circuit has it, or the circuit was deleted meanwhile.
        """
        self._check_known(name)
        _check_name(new)
        if new == name:
            return self.load(name)

        def rename(transaction: Transaction) -> None:
            text = read_text("circuit_by_id")
            ids = {each: {"run": self._run, "id": self._id(each)} for each in (name, new)}
            if transaction.execute(text, ids[new]):
                raise ConflictError(
                    f"There is another circuit {new!r} of run {self._run}. Choose another name, or "
                    "delete it first."
                )
            kept = transaction.execute(text, ids[name])
            if not kept:
                raise ConflictError(
                    f"The circuit {name!r} of run {self._run} was deleted meanwhile. {ADVICE}"
                )
            noted = {key: value for key, value in kept[0].items() if value is not None}
            features = noted.pop("features")
            self._create(transaction, {"run": self._run, "name": new, **noted}, features)
            transaction.execute(read_text("writing/delete_circuit"), {"id": self._id(name)})

        self._store.transact(rename)  # an id stays what it is in a store: it is a new circuit there
        return self.load(new)

    def delete(self, name: str) -> None:
        """Delete a saved circuit; raise NotFoundError if there is none of this name."""
        self._check_known(name)
        self._execute("delete_circuit", id=self._id(name))

    def compare(self, names: Sequence[str]) -> Comparison:
        """Return what each two of the named circuits have in common.

        Raises UsageError for fewer than two, and what `load` raises.
        """
        if len(set(names)) < 2:
            raise UsageError("One circuit cannot be compared. Name two or more.")
        circuits = [self.load(name) for name in dict.fromkeys(names)]
        table = self.table().frame
        named = table[table["name"].isin(names)].reset_index(drop=True)
        return compare_circuits(circuits, Table(named))

    def _circuit(
        self,
        reader: Reader,
        name: str,
        query: Any,
        pairs: list[tuple[str, str]],
        features: Sequence[str] = (),
    ) -> Circuit:
        """Return the circuit of these interactions; raise if the graph does not have them all."""
        circuit = circuit_from_pairs(reader, query, pairs, features)
        if missing := sorted(set(pairs) - set(circuit.pairs())):
            source, target = missing[0]
            raise ConflictError(
                f"Run {self._run} does not have {len(missing)} of the {len(pairs)} interactions of "
                f"the circuit {name!r}, such as {source} > {target}: the graph has changed since. "
                "Extract the circuit again."
            )
        return dataclasses.replace(circuit, name=name)

    def _check_known(self, name: str) -> None:
        known = list(self.table().frame["name"])
        if name not in known:
            raise NotFoundError("circuit", name, known, ADVICE)

    def _check(self, circuit: Circuit, name: str) -> None:
        _check_name(name)
        if not len(circuit):
            raise UsageError("The circuit is empty, and there is nothing to save.")
        self._check_run(name, circuit.run)

    def _check_run(self, name: str, run: str) -> None:
        if run != self._run:
            raise ConflictError(
                f"The circuit {name!r} is of run {run}, and this is run {self._run}. Its features "
                f"mean nothing here; open its own run with --run {run}."
            )

    def _holds(self, name: str, circuit: Circuit) -> bool:
        """Return whether a circuit is stored under a name, with the same interactions."""
        row = self._row(name)
        return bool(row) and sorted(row["interactions"]) == sorted(_texts(circuit))

    def _row(self, name: str) -> Record:
        """Return what is stored under a name, nothing where no circuit has it."""
        rows = self._reader().rows(read_text("circuit_by_id"), id=self._id(name))
        return rows[0] if rows else {}

    def _write(self, circuit: Circuit, name: str) -> None:
        """Store a circuit in place of one that has this name."""
        properties = {
            "run": self._run,
            "name": name,
            "query": json.dumps(dict(circuit.query)),
            "interactions": _texts(circuit),
            "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            **(_noted(circuit.scores) if circuit.scores else {}),
        }
        features = circuit.features["id"].tolist()

        def write(transaction: Transaction) -> None:
            transaction.execute(read_text("writing/delete_circuit"), {"id": self._id(name)})
            self._create(transaction, properties, features)

        self._store.transact(write)

    def _create(
        self, transaction: Transaction, properties: Mapping[str, Any], features: Sequence[str]
    ) -> None:
        name = properties["name"]
        given = {"id": self._id(name), "properties": dict(properties), "features": list(features)}
        rows = transaction.execute(read_text("writing/create_circuit"), given)
        if rows[0]["features"] != len(features):
            raise ConflictError(f"Run {self._run} no longer has all features of {name!r}.")

    def _execute(self, text: str, **parameters: Any) -> None:
        self._store.transact(
            lambda transaction: transaction.execute(read_text(f"writing/{text}"), parameters)
        )

    def _id(self, name: str) -> str:
        return f"{self._run}/{name}"

    def _reader(self) -> Reader:
        return Reader(self._store, self._run, skips=self._skips)


def _noted(scores: Scores) -> Record:
    """Return scores as a store keeps them: those of some answers are a text of JSON."""
    answers = scores.answers and scores.answers.model_dump_json()
    return {**vars(scores), "answers": answers}


def _scores(row: Record) -> Scores | None:
    """Return what a store keeps of a circuit's scores."""
    if row["score"] is None:
        return None
    known = {key: row[key] for key in SCORES}
    if known["answers"] is not None:
        known["answers"] = AnswerScores.model_validate_json(known["answers"])
    return Scores(**known)


def _texts(circuit: Circuit) -> list[str]:
    return [f"{source}>{target}" for source, target in circuit.pairs()]


def _check_name(name: str) -> None:
    if not name.strip():
        raise UsageError("The name of a circuit is empty. Give it a name.")


def _pair(text: str, run: str) -> tuple[str, str]:
    """Return the two ids of an interaction; layers may have a '>' in their names.

    >>> _pair("0a/layer>1/5>0a/out/2", "0a")
    ('0a/layer>1/5', '0a/out/2')
    """
    source, _, target = text.rpartition(f">{run}/")
    return source, f"{run}/{target}"

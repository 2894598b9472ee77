"""What LangGraph, OpenTelemetry, prov, pm4py, prefixspan, pymerkle and rfc8785 are asked for."""

import json
import os
import sqlite3
import tempfile
import warnings
from pathlib import Path
from typing import Annotated, Any, TypedDict

import numpy as np
from calls import Arrays, call, serve

os.environ["LANGSMITH_TRACING"] = "false"
os.environ["MPLBACKEND"] = "agg"  # a notebook's own is of no use here


@call
def versions(request: dict[str, Any], arrays: Arrays) -> tuple[dict[str, Any], Arrays]:
    """Tell the versions of the packages."""
    from importlib.metadata import version

    names = (
        "langgraph", "langgraph-checkpoint-sqlite", "opentelemetry-sdk", "prov", "pm4py",
        "prefixspan", "pymerkle", "rfc8785",
    )  # fmt: skip
    return {name: version(name) for name in names}, {}


@call
def checkpoints(request: dict[str, Any], arrays: Arrays) -> tuple[dict[str, Any], Arrays]:
    """Replay conversations through a LangGraph graph with its SQLite saver; tell the bytes.

    ``runs`` is a list of lists of messages, ``durability`` is ``sync`` or ``exit``. Each message is
    one step of the graph, whose state is the list of all so far. Arrays ``database`` (bytes of the
    file), ``payload`` (bytes of checkpoints and writes), ``rows`` (checkpoints kept).
    """
    from langgraph.checkpoint.sqlite import SqliteSaver
    from langgraph.graph import END, START, StateGraph

    def added(old: list[Any], new: list[Any]) -> list[Any]:
        return [*old, *new]

    class State(TypedDict):
        messages: Annotated[list[Any], added]
        place: int

    sizes, payloads, rows = [], [], []
    for number, messages in enumerate(request["runs"]):

        def turn(state: State, messages: list[Any] = messages) -> dict[str, Any]:
            return {"messages": [messages[state["place"]]], "place": state["place"] + 1}

        def more(state: State, count: int = len(messages)) -> str:
            return "turn" if state["place"] < count else END

        graph = StateGraph(State)
        graph.add_node("turn", turn)
        graph.add_edge(START, "turn")
        graph.add_conditional_edges("turn", more)
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "state.sqlite"
            with SqliteSaver.from_conn_string(str(file)) as saver:
                graph.compile(checkpointer=saver).invoke(
                    {"messages": [], "place": 0},
                    {"configurable": {"thread_id": str(number)}, "recursion_limit": 1000},
                    durability=request["durability"],
                )
            base = sqlite3.connect(file)
            base.execute("pragma wal_checkpoint(truncate)")
            kept = base.execute(
                "select count(*), sum(length(checkpoint)) from checkpoints"
            ).fetchone()
            wrote = base.execute("select coalesce(sum(length(value)), 0) from writes").fetchone()
            base.close()
            sizes.append(file.stat().st_size)
            payloads.append(kept[1] + wrote[0])
            rows.append(kept[0])
    return {}, {
        "database": np.array(sizes),
        "payload": np.array(payloads),
        "rows": np.array(rows),
    }


@call
def spans(request: dict[str, Any], arrays: Arrays) -> tuple[dict[str, Any], Arrays]:
    """Emit spans through OpenTelemetry's SDK, and tell what its exporter was given.

    ``spans`` are those of our exporter; the answer has name, attributes and the parent's place.
    """
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    memory = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(memory))
    tracer = provider.get_tracer("aer")
    open_: dict[str, Any] = {}
    for span in request["spans"]:
        parent = open_.get(span["parent_id"])
        context = trace.set_span_in_context(parent) if parent is not None else None
        open_[span["span_id"]] = tracer.start_span(
            span["name"], context, attributes=span["attributes"], start_time=span["start_ns"]
        )
    for span in reversed(request["spans"]):
        open_[span["span_id"]].end(span["end_ns"])
    places = {each.get_span_context().span_id: key for key, each in open_.items()}
    told = [
        {
            "span_id": places[span.context.span_id],
            "parent_id": places[span.parent.span_id] if span.parent else None,
            "name": span.name,
            "start_ns": span.start_time,
            "end_ns": span.end_time,
            "attributes": dict(span.attributes),
        }
        for span in memory.get_finished_spans()
    ]
    provider.shutdown()
    return {"spans": told}, {}


@call
def prov_round_trip(request: dict[str, Any], arrays: Arrays) -> tuple[dict[str, Any], Arrays]:
    """Load PROV-JSON by the package prov, write and load it again; tell whether it stayed equal."""
    from prov.model import ProvDocument

    equal, records = [], []
    for text in request["documents"]:
        first = ProvDocument.deserialize(content=text, format="json")
        second = ProvDocument.deserialize(content=first.serialize(format="json"), format="json")
        equal.append(first == second)
        records.append(len(first.get_records()))
    return {"equal": equal, "records": records}, {}


@call
def directly_follows(request: dict[str, Any], arrays: Arrays) -> tuple[dict[str, Any], Arrays]:
    """Discover a directly-follows graph by pm4py; counts as a matrix."""
    import time

    import pandas as pd
    import pm4py

    cases, codes = arrays["case"], arrays["code"]
    frame = pd.DataFrame(
        {
            "case:concept:name": cases.astype(str),
            "concept:name": codes.astype(str),
            "time:timestamp": pd.Timestamp("2026-01-01", tz="UTC")
            + pd.to_timedelta(np.arange(len(cases)), unit="s"),
        }
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        began = time.process_time()
        graph, _, _ = pm4py.discover_dfg(frame)
        seconds = time.process_time() - began
    count = int(request["codes"])
    table = np.zeros((count, count), np.int64)
    for (a, b), number in graph.items():
        table[int(a), int(b)] = number
    return {"seconds": seconds}, {"counts": table}


@call
def frequent_sequences(request: dict[str, Any], arrays: Arrays) -> tuple[dict[str, Any], Arrays]:
    """Find frequent sequences by prefixspan."""
    from prefixspan import PrefixSpan

    miner = PrefixSpan(request["sequences"])
    miner.maxlen = int(request["longest"])
    found = miner.frequent(int(request["support"]))
    return {"patterns": [[int(n), [int(c) for c in pattern]] for n, pattern in found]}, {}


@call
def merkle(request: dict[str, Any], arrays: Arrays) -> tuple[dict[str, Any], Arrays]:
    """Build trees by pymerkle over hexadecimal documents; roots and inclusion paths."""
    from pymerkle import InmemoryTree

    trees = []
    for documents in request["trees"]:
        tree = InmemoryTree(algorithm="sha256")
        for document in documents:
            tree.append_entry(bytes.fromhex(document))
        proofs = [
            [part.hex() if isinstance(part, bytes) else part
             for part in tree.prove_inclusion(k + 1).path]
            for k in range(len(documents))
        ]  # fmt: skip
        trees.append({"root": tree.get_state().hex(), "proofs": proofs})
    return {"trees": trees}, {}


@call
def canonical(request: dict[str, Any], arrays: Arrays) -> tuple[dict[str, Any], Arrays]:
    """Write JSON values canonically by rfc8785; hexadecimal, or null where it refuses."""
    import rfc8785

    told = []
    for text in request["documents"]:
        try:
            told.append(rfc8785.dumps(json.loads(text)).hex())
        except (ValueError, rfc8785.CanonicalizationError):
            told.append(None)
    return {"canonical": told}, {}


if __name__ == "__main__":
    serve()

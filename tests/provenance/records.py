"""Records for the tests: the paper's running example, and small broken ones."""

import contextlib
import copy
import sys
from typing import Any

import pytest

from quire.provenance import RecordError, RecordWriter

unix = pytest.mark.skipif(sys.platform == "win32", reason="pipes and links of a Unix")


def oom() -> dict[str, Any]:
    """The paper's running example: a node that is out of memory, found over DNS and listener."""

    def step(n: int, plan: int, tool: str, intent: str, code: str, says: str, then: str) -> Any:
        return {
            "step_id": f"step_{n:03d}",
            "plan_version": plan,
            "sequence": n,
            "intent": intent,
            "intent_code": code,
            "target": "node-3",
            "tool_calls": [
                {
                    "tool": tool,
                    "input": {"host": "node-3"},
                    "output": {"says": says},
                    "duration_ms": 12.5,
                }
            ],
            "observation": says,
            "inference": then,
            "inference_code": {1: "neutral", 2: "replan", 3: "supports", 4: "conclude"}[n],
            "tokens": {"input": 900, "output": 80},
        }

    return copy.deepcopy(
        {
            "envelope": {
                "investigation_id": "DBINFRA-1458",
                "trigger": {
                    "source": "jira",
                    "reference": "DBINFRA-1458",
                    "summary": "connections to the database fail",
                    "severity": "high",
                },
                "agent": {"agent_version": "1.4", "model": "m-1", "prompt_version": "p-7"},
                "authority": {
                    "delegated_by": "database team",
                    "delegation_mechanism": "on-call rota",
                    "permissions_scope": ["dns_lookup", "listener_status", "crs_*", "syslog"],
                    "authority_chain": [
                        {"principal": "pager", "type": "system", "permissions_scope": ["*"]},
                        {"principal": "database team", "type": "team"},
                        {"principal": "rca-agent", "type": "agent"},
                    ],
                },
                "context_snapshot": {
                    "retrieval_context": {
                        "sources": [
                            {
                                "type": "runbook",
                                "query": "TNS-12541",
                                "chunks_retrieved": 2,
                                "chunk_ids": ["rb-1", "rb-9"],
                                "total_tokens": 700,
                            }
                        ]
                    },
                    "system_context": {"service": "orders-db", "region": "eu-1"},
                },
                "profile": "rca",
            },
            "plans": [
                {
                    "plan_version": 1,
                    "rationale": "from the name to the listener",
                    "steps_intended": ["DNS", "listener"],
                },
                {
                    "plan_version": 2,
                    "supersedes": 1,
                    "revision_trigger": "step_002",
                    "rationale": "one listener is down: look at its node",
                    "steps_intended": ["CRS", "syslog"],
                },
            ],
            "steps": [
                step(
                    1, 1, "dns_lookup", "rule out DNS", "rule_out", "all names resolve", "not DNS"
                ),
                step(
                    2, 1, "listener_status", "find the listener", "localise", "TNS-12541", "node 3"
                ),
                step(3, 2, "crs_status", "is the node in the cluster", "verify", "evicted", "node"),
                step(4, 2, "syslog", "why", "explain", "oom-killer took the listener", "memory"),
            ],
            "verdict": {
                "root_cause_category": "Infrastructure > Memory > OOM Kill",
                "root_cause_summary": "the kernel killed the listener on node 3",
                "confidence": 0.95,
                "affected_components": ["node-3", "listener"],
                "evidence_chain": ["step_002", "step_003", "step_004"],
                "alternatives_rejected": [
                    {"hypothesis": "SCAN DNS", "rejected_by": "step_001", "reason": "resolves"},
                    {"hypothesis": "network partition", "rejected_by": "step_001"},
                ],
                "remediation": ["restart the listener", "raise the memory limit"],
            },
            "metadata": {"duration_ms": 84000, "cost": 0.31, "pinned": True},
        }
    )


@contextlib.contextmanager
def refused(kind=RecordError, path=None):
    """One printable line of bounded length, of that class and with that path."""
    with pytest.raises(kind) as fault:
        yield
    told = str(fault.value)
    assert told.isprintable() and len(told) <= 620
    assert isinstance(fault.value, RecordError)
    assert path is None or fault.value.path == path


def write(root, told=None):
    """Write the running example, and return its folder and head."""
    told = told or oom()
    with RecordWriter(root, told["envelope"]) as out:
        out.plan(told["plans"][0])
        for step in told["steps"][:2]:
            out.step(step)
        out.plan(told["plans"][1])
        for step in told["steps"][2:]:
            out.step(step)
        head = out.verdict(told["verdict"], told["metadata"])
    return out.folder, head

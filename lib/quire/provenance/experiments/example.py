"""The paper's running example, DBINFRA-1458, as a record: four steps from DNS to the OOM killer."""

from typing import Any

from quire.provenance.schema.records import Record, parse_record

_STEPS = (
    ("dns_lookup", "rule out DNS", "rule_out", "all SCAN names resolve", "not DNS", "refutes"),
    ("listener_status", "find the listener", "localise", "TNS-12541 on node 3", "look at node 3",
     "replan"),
    ("crs_status", "is node 3 in the cluster", "verify", "node 3 is evicted", "the node fell out",
     "supports"),
    ("syslog", "why it fell out", "explain", "oom-killer took the listener", "memory ran out",
     "conclude"),
)  # fmt: skip


def running_example(steps: int = 4) -> Record:
    """Return the record of the paper's example; the words are ours, the fields the paper's."""
    told: list[dict[str, Any]] = [
        {
            "step_id": f"step_{k:03d}",
            "plan_version": 1 if k <= 2 else 2,
            "sequence": k,
            "intent": intent,
            "intent_code": code,
            "tool_calls": [
                {"tool": tool, "input": {"node": 3}, "output": {"text": says}, "duration_ms": 40}
            ],
            "observation": says,
            "inference": then,
            "inference_code": effect,
            "tokens": {"input": 900 + 100 * k, "output": 60},
        }
        for k, (tool, intent, code, says, then, effect) in enumerate(_STEPS[:steps], 1)
    ]
    return parse_record(
        {
            "envelope": {
                "investigation_id": "DBINFRA-1458",
                "trigger": {
                    "source": "ticket",
                    "reference": "DBINFRA-1458",
                    "summary": "clients cannot connect",
                    "severity": "high",
                },
                "agent": {"agent_version": "1", "model": "m", "prompt_version": "p"},
                "authority": {
                    "delegated_by": "database team",
                    "delegation_mechanism": "rota",
                    "permissions_scope": [step[0] for step in _STEPS],
                    "authority_chain": [
                        {"principal": "pager", "type": "system"},
                        {"principal": "database team", "type": "team"},
                        {"principal": "rca-agent", "type": "agent"},
                    ],
                },
                "context_snapshot": {
                    "retrieval_context": {
                        "sources": [
                            {
                                "type": "runbook",
                                "query": "listener",
                                "chunks_retrieved": 1,
                                "chunk_ids": ["rb-9"],
                                "total_tokens": 300,
                            }
                        ]
                    },
                    "system_context": {"service": "orders", "region": "eu"},
                },
            },
            "plans": [
                {"plan_version": 1, "rationale": "name, then listener", "steps_intended": ["DNS"]},
                {
                    "plan_version": 2,
                    "supersedes": 1,
                    "revision_trigger": "step_002",
                    "rationale": "one listener is down: look at its node",
                    "steps_intended": ["CRS", "syslog"],
                },
            ],
            "steps": told,
            "verdict": {
                "root_cause_category": "Infrastructure > Memory > OOM Kill",
                "root_cause_summary": "the kernel killed the listener on node 3",
                "confidence": 0.95,
                "affected_components": ["node 3"],
                "evidence_chain": ["step_002", "step_003", "step_004"],
                "alternatives_rejected": [
                    {"hypothesis": "DNS", "rejected_by": "step_001", "reason": "resolves"},
                    {"hypothesis": "network", "rejected_by": "step_001", "reason": "resolves"},
                ],
                "remediation": ["more memory"],
            },
            "metadata": {"duration_ms": 160, "cost": 0.2},
        }
    )

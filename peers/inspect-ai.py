"""What Inspect AI is asked for: to write a log, and to read one."""

import time
from pathlib import Path
from typing import Any

from calls import Arrays, call, serve


@call
def versions(request: dict[str, Any], arrays: Arrays) -> tuple[dict[str, Any], Arrays]:
    """Tell the version of Inspect AI."""
    from importlib.metadata import version

    return {"inspect-ai": version("inspect-ai")}, {}


@call
def write_log(request: dict[str, Any], arrays: Arrays) -> tuple[dict[str, Any], Arrays]:
    """Write a log of ``samples`` with ``turns`` of tool calls, each output of ``characters``."""
    import random

    from inspect_ai.event import ModelEvent, ToolEvent
    from inspect_ai.log import EvalLog, EvalSample, write_eval_log
    from inspect_ai.log._log import EvalConfig, EvalDataset, EvalSpec
    from inspect_ai.model import (
        ChatCompletionChoice,
        ChatMessageAssistant,
        ChatMessageTool,
        ChatMessageUser,
        GenerateConfig,
        ModelOutput,
    )
    from inspect_ai.tool import ToolCall

    random.seed(int(request["seed"]))
    words = [f"word{k}" for k in range(2000)]
    samples = []
    for number in range(int(request["samples"])):
        messages: list[Any] = [ChatMessageUser(content=f"question {number}")]
        events: list[Any] = []
        for turn in range(int(request["turns"])):
            text = ""
            while len(text) < int(request["characters"]):
                text += random.choice(words) + (" " if len(text) % 90 else "\n")
            step = ToolCall(id=f"c{turn}", function="look", arguments={"place": turn})
            asked = ChatMessageAssistant(content=f"I look at place {turn}.", tool_calls=[step])
            events.append(
                ModelEvent(
                    model="mock/model", input=list(messages), tools=[], tool_choice="auto",
                    config=GenerateConfig(),
                    output=ModelOutput(
                        model="mock/model",
                        choices=[ChatCompletionChoice(message=asked, stop_reason="tool_calls")],
                    ),
                )
            )  # fmt: skip
            events.append(
                ToolEvent(id=f"c{turn}", function="look", arguments={"place": turn}, result=text)
            )
            messages += [
                asked,
                ChatMessageTool(content=text, tool_call_id=f"c{turn}", function="look"),
            ]
        samples.append(
            EvalSample(
                id=number, epoch=1, input=f"question {number}", target="", messages=messages,
                events=events, output=ModelOutput.from_content("mock/model", "done"),
            )
        )  # fmt: skip
    log = EvalLog(
        status="success",
        eval=EvalSpec(
            created="2026-01-01T00:00:00+00:00", task="aer", dataset=EvalDataset(name="made"),
            model="mock/model", config=EvalConfig(),
        ),
        samples=samples,
    )  # fmt: skip
    write_eval_log(log, request["file"])
    return {"bytes": Path(request["file"]).stat().st_size}, {}


@call
def read_log(request: dict[str, Any], arrays: Arrays) -> tuple[dict[str, Any], Arrays]:
    """Read a log by Inspect's own reader, ``rounds`` times; processor seconds and tool calls."""
    from inspect_ai.log import read_eval_log

    seconds, calls = [], 0
    for _ in range(int(request["rounds"])):
        began = time.process_time()
        log = read_eval_log(request["file"])
        seconds.append(time.process_time() - began)
        calls = sum(
            len(getattr(message, "tool_calls", None) or ())
            for sample in log.samples or ()
            for message in sample.messages
        )
    return {"seconds": seconds, "calls": calls, "samples": len(log.samples or ())}, {}


if __name__ == "__main__":
    serve()

"""Classifies licence texts: `python3 classify.py http://localhost:8080`, with PARALLAX_TOKEN where the cluster has tokens."""

import os
import signal
import sys

from parallax_agent import Agent, Task

MARKS = {
    "MIT": "Permission is hereby granted, free of charge",
    "Apache-2.0": "Apache License",
    "ISC": "Permission to use, copy, modify, and/or distribute",
}


def classify(task: Task) -> dict:
    content = task.input.get("content", "") if isinstance(task.input, dict) else ""
    for name, mark in MARKS.items():
        if mark in content:
            return {"result": name, "confidence": 0.8}
    return {"result": "unknown", "confidence": 0.1}


if __name__ == "__main__":
    urls = sys.argv[1:] or ["http://localhost:8080"]
    agent = Agent(urls, {"classification": classify}, name="classifier-python", slots=4, token=os.environ.get("PARALLAX_TOKEN"))
    signal.signal(signal.SIGTERM, lambda *_: agent.stop())
    signal.signal(signal.SIGINT, lambda *_: agent.stop())
    agent.run()

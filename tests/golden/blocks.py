"""Blocks of code and of answers in the pages."""

from __future__ import annotations

import json
import re
from typing import Any

SERVICE = "http://127.0.0.1:8000"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def laid_out(answer: dict[str, Any]) -> str:
    """Return JSON with one line for each entry of a list of objects."""
    members = []
    for key, value in answer.items():
        text = json.dumps(value)
        if value and isinstance(value, list) and isinstance(value[0], dict):
            text = "[\n" + ",\n".join(f"  {json.dumps(entry)}" for entry in value) + "\n]"
        members.append(f"{json.dumps(key)}: {text}")
    return "{" + ", ".join(members) + "}"

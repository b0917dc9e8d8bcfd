"""JSON that people can read: one line for each entry, two levels deep."""

from __future__ import annotations

import json
from typing import Any


def readable_json(content: dict[str, Any]) -> str:
    """Return a document as JSON; floats are exact, and must be finite."""

    def line(value: Any) -> str:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)

    def entry(key: str, value: Any) -> str:
        if not isinstance(value, dict) or not value:
            return f" {line(key)}: {line(value)}"
        inner = ",\n".join(f"  {line(k)}: {line(v)}" for k, v in value.items())
        return f" {line(key)}: {{\n{inner}\n }}"

    return "{\n" + ",\n".join(entry(*item) for item in content.items()) + "\n}\n"

"""The JSON Schema of one value: what pydantic says of a type, with `$` wherever a value stands.

A keyword of JSON Schema speaks about values of one type and lets all others through, so alternatives of different types
are one schema: editors then say what is wrong with a value, not what else could have stood there.
"""

from __future__ import annotations

from typing import Any, TypeAlias

Schema: TypeAlias = dict[str, Any]

COMPUTED = r"^\$(\w+|\(.*\))$"


def with_message(schema: Schema, words: str) -> Schema:
    """Editors show the words where a text is not `$`; without them, the pattern."""
    for way in schema.get("anyOf", [schema]):
        if "pattern" in way:
            way["patternErrorMessage"] = f"must be {words}"
    return schema


def value(written: Schema) -> Schema:
    """What pydantic takes, with `$` in every place where a value stands."""
    ways = [*map(_way, written.get("anyOf", [written])), {"type": "string", "pattern": COMPUTED}]
    joined: list[Schema] = []
    for way in ways:
        if way["type"] == "null":
            continue
        into = next((schema for schema in joined if _join(schema, way)), None)
        if into is None:
            joined.append({**way})
    return joined[0] if len(joined) == 1 else {"anyOf": joined}


def _way(written: Schema) -> Schema:
    """One alternative, without what editors have no use for."""
    kept = {key: value for key, value in written.items() if key not in ("title", "description", "default", "maximum")}
    return {**kept, "items": value(kept["items"])} if "items" in kept else kept


def _join(schema: Schema, way: Schema) -> bool:
    """Joins a way into a schema for other types; False where both speak about one type."""
    types = types_of(schema)
    if way["type"] == "string" and schema == {"type": "string"}:
        return True
    if way["type"] in types or {"enum", "const"} & {*schema, *way}:
        return False
    schema.update(way, type=[*types, way["type"]])
    return True


def types_of(schema: Schema) -> list[str]:
    return schema["type"] if isinstance(schema["type"], list) else [schema["type"]]

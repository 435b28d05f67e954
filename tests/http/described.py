"""/openapi.json, and whether what is sent and answered is as it says."""
import json
import re

from harness import check, equal, get, server

DOCUMENT = get(server(), "/openapi.json").json()

# What of JSON Schema the document uses, in a page


def resolve(schema):
    """The schema, with what a $ref leads to."""
    while "$ref" in schema:
        target = DOCUMENT
        for key in schema["$ref"][2:].split("/"):
            target = target[key.replace("~1", "/").replace("~0", "~")]
        schema = {**target, **{k: v for k, v in schema.items() if k != "$ref"}}
    return schema


def is_type(value, name):
    """Whether the value is of this type of JSON Schema."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return {"object": isinstance(value, dict),
            "array": isinstance(value, list),
            "string": isinstance(value, str),
            "boolean": isinstance(value, bool),
            "null": value is None,
            "number": number,
            "integer": number and value == int(value)}[name]


def same(a, b):
    """As equal, but true is not 1."""
    return a == b and isinstance(a, bool) == isinstance(b, bool)


def bounded(value, schema):
    """Whether a number is within the bounds."""
    return not ("minimum" in schema and value < schema["minimum"] or
                "maximum" in schema and value > schema["maximum"] or
                "exclusiveMinimum" in schema and
                value <= schema["exclusiveMinimum"])


def sized(n, schema, what):
    """Whether a count is within the bounds on items or properties."""
    return (schema.get("min" + what, 0) <= n <=
            schema.get("max" + what, float("inf")))


KNOWN = {"type", "enum", "const", "anyOf", "oneOf", "minimum", "maximum",
         "exclusiveMinimum", "items", "minItems", "maxItems", "uniqueItems",
         "properties", "required", "additionalProperties", "maxProperties",
         "pattern", "description", "default", "examples", "format",
         "contentMediaType"}


def faults_of_object(value, schema, where):
    """Of an object's members."""
    members = schema.get("properties", {})
    other = schema.get("additionalProperties", True)
    found = [f"{where}: no {key}" for key in schema.get("required", [])
             if key not in value]
    if not sized(len(value), schema, "Properties"):
        found.append(f"{where}: too many members")
    for key, member in value.items():
        if key in members:
            found += faults(member, members[key], f"{where}/{key}")
        elif other is False:
            found.append(f"{where}: unknown {key}")
        elif isinstance(other, dict):
            found += faults(member, other, f"{where}/{key}")
    return found


def faults(value, schema, where=""):
    """What is wrong with the value by the schema."""
    schema = resolve(schema)
    found = []
    check(set(schema) <= KNOWN, f"not checked: {set(schema) - KNOWN}")
    types = schema.get("type", [])
    types = [types] if isinstance(types, str) else types
    if types and not any(is_type(value, name) for name in types):
        return [f"{where}: {value!r} is not {types}"]
    for options in (schema.get("enum"), [schema["const"]]
                    if "const" in schema else None):
        if options and not any(same(value, x) for x in options):
            found.append(f"{where}: {value!r} is none of {options}")
    fits = [not faults(value, s) for s in
            schema.get("anyOf", schema.get("oneOf", []))]
    if fits and (not any(fits) or "oneOf" in schema and sum(fits) > 1):
        found.append(f"{where}: {value!r} fits {sum(fits)} of {len(fits)}")
    if is_type(value, "number") and not bounded(value, schema):
        found.append(f"{where}: {value!r} is out of bounds")
    if isinstance(value, str) and not re.search(schema.get("pattern", ""),
                                                value):
        found.append(f"{where}: {value!r} does not match")
    if isinstance(value, dict):
        found += faults_of_object(value, schema, where)
    if isinstance(value, list):
        if not sized(len(value), schema, "Items"):
            found.append(f"{where}: {len(value)} items")
        for i, item in enumerate(value):
            found += faults(item, schema.get("items", {}), f"{where}/{i}")
    return found


def named(name):
    """A schema of the components."""
    return DOCUMENT["components"]["schemas"][name]


def body_schema(path):
    """What the path takes."""
    body = DOCUMENT["paths"][path]["post"]["requestBody"]
    return body["content"]["application/json"]["schema"]


def answer_schema(path, method="post", status="200"):
    """What the path answers."""
    answers = DOCUMENT["paths"][path][method]["responses"]
    return resolve(answers[status])["content"]["application/json"]["schema"]


def example(path):
    """A copy of the path's example."""
    body = DOCUMENT["paths"][path]["post"]["requestBody"]
    return json.loads(json.dumps(body["content"]["application/json"]
                                 ["example"]))


def fits(value, schema):
    """Fails unless the value is as the schema says."""
    equal(faults(value, schema), [])

"""Checks the JSON Schema document, and that a validator of others judges messages as the project's own checker does."""

import json
import sys

from jsonschema import Draft202012Validator

with open(sys.argv[1], encoding="utf-8") as file:
    document = json.load(file)
Draft202012Validator.check_schema(document)

validators = {}


def validator(key):
    """Returns the validator of one message."""
    if key not in validators:
        schema = {"$schema": document["$schema"], "$ref": f"#/$defs/{key}", "$defs": document["$defs"]}
        validators[key] = Draft202012Validator(schema)
    return validators[key]


counts = {True: 0, False: 0}
different = []
with open(sys.argv[2], encoding="utf-8") as cases:
    for line in cases:
        case = json.loads(line)
        is_valid = validator(case["key"]).is_valid(case["message"])
        counts[case["is_valid"]] += 1
        if is_valid != case["is_valid"]:
            different.append(line)
for line in different[:10]:
    print("judged differently:", line.strip()[:500], file=sys.stderr)
print(f"{len(document['$defs'])} definitions; {counts[True]} messages are valid, {counts[False]} are refused, "
      f"{len(different)} are judged differently")
sys.exit(bool(different) or min(counts.values()) < 100)

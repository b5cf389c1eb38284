"""Reads messages, one JSON object a line, and prints what in them leaves the contract.

    python check_messages.py faf-lobby.schema.json client < messages

Second argument: the sender, which is client, server, game or server-for-game. Needs the package jsonschema.
"""

import json
import sys

from jsonschema import Draft202012Validator

document, sender = json.load(open(sys.argv[1], encoding="utf-8")), sys.argv[2]
for number, line in enumerate(sys.stdin, 1):
    message = json.loads(line)
    key = f"{sender}.{message.get('command')}"
    if key == "server.game_info" and "games" in message:
        key += ".games"  # The list at login has the name of the message about one game.
    if key not in document["$defs"]:
        print(f"line {number}: {key} is not in the contract")
        continue
    schema = {"$ref": f"#/$defs/{key}", "$defs": document["$defs"]}
    for error in Draft202012Validator(schema).iter_errors(message):
        place = ".".join(str(step) for step in error.path) or "the message"
        print(f"line {number}: {key}: {place}: {error.message}")

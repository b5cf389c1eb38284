#!/usr/bin/env python3
"""Logs in to a lobby, answers its pings, and prints who comes and goes.

    python3 bot.py HOST PORT NAME PASSWORD

The port is that of SimpleJson, usually 8002. Needs only the standard library.
"""

import hashlib
import json
import socket
import sys


def main(host, port, name, password):
    with socket.create_connection((host, int(port))) as connection:

        def send(**message):
            connection.sendall(json.dumps(message).encode() + b"\n")

        send(command="ask_session", user_agent="bot.py", version="1")
        digest = hashlib.sha256(password.encode()).hexdigest()
        send(command="hello", login=name, password=digest, unique_id="bot.py")
        # A message is one line, however the network cuts it into pieces.
        for line in connection.makefile("r", encoding="utf-8", newline="\n"):
            message = json.loads(line)
            command = message["command"]
            if command == "ping":
                send(command="pong")
            elif command == "welcome":
                print("logged in as", message["login"], flush=True)
            elif command == "player_info":
                for player in message["players"]:
                    left = player.get("state") == "offline"
                    print(player["login"], "has left" if left else "is online", flush=True)
            elif command in ("notice", "authentication_failed"):
                print(command + ":", message.get("text"), flush=True)


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    main(*sys.argv[1:])

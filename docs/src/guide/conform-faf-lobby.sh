#!/bin/sh
# Starts a fresh faf-lobby for one session of `faf-wire conform --start`, with the recorded configuration, and removes it
# afterwards. FAF_LOBBY is the program; SEEDED is a database with the data of the sessions, which is copied, because hashing
# all passwords takes seconds. docs/src/guide/conformance.md explains it.
set -eu
program=${FAF_LOBBY:-faf-lobby}
folder=$(mktemp -d)
# The signal that ends the session goes to all processes, so the server gets it, too.
trap 'rm -rf "$folder"' EXIT
trap 'wait' TERM
cp "$SEEDED" "$folder/lobby.sqlite"
set -- --database "$folder/lobby.sqlite" --simple-json 127.0.0.1:0 --qdatastream 127.0.0.1:0 --websocket 127.0.0.1:0 \
    --http 127.0.0.1:0 --login-timeout 300 --login-message-limit 10485760 --reconnect-grace-period 0 \
    --ladder-anti-repetition-limit 2 --www-url https://www.example.org --content-url http://content.example.org
if [ -n "${FAF_SETTING_QUEUE_POP_TIME_MAX:-}" ]; then
    set -- "$@" --queue-pop-time-max "$FAF_SETTING_QUEUE_POP_TIME_MAX" --queue-pop-time-min 1
fi
if [ -n "${FAF_SETTING_LOGIN_TIMEOUT:-}" ]; then
    set -- "$@" --login-timeout "$FAF_SETTING_LOGIN_TIMEOUT"
fi
if [ -n "${FAF_SETTING_PING_INTERVAL:-}" ]; then
    set -- "$@" --ping-interval "$FAF_SETTING_PING_INTERVAL"
fi
export FAF_LOBBY_ALLOW_PASSWORD_LOGIN="${FAF_SETTING_ALLOW_PASSWORD_LOGIN:-true}"
# Without a key set, the recorded server had an address for it where there was none.
if [ -n "${FAF_KEY_SET:-}" ]; then
    printf '%s' "$FAF_KEY_SET" >"$folder/keys.json"
fi
FAF_LOBBY_BANNER=json FAF_LOBBY_LOG=error "$program" serve "$@" --jwks "$folder/keys.json" &
wait $!

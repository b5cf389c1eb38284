"""The counterpart of the benchmark: the same framing around CPython's json.

Reads lines of "operation format message" and answers each with nanoseconds a call.
"""

import json
import platform
import struct
import sys
import time

compact = json.JSONEncoder(separators=(",", ":")).encode


def encode_qdatastream(message):
    text = compact(message).encode("utf-16-be")
    return struct.pack(">II", len(text) + 4, len(text)) + text


def decode_qdatastream(frame):
    (length,) = struct.unpack(">I", frame[:4])
    payload = frame[4 : 4 + length]
    (length,) = struct.unpack(">I", payload[:4])
    return json.loads(payload[4 : 4 + length].decode("utf-16-be"))


def encode_simple_json(message):
    return compact(message).encode() + b"\n"


def decode_simple_json(frame):
    return json.loads(frame)


CODECS = {
    "qdatastream": (encode_qdatastream, decode_qdatastream),
    "simple-json": (encode_simple_json, decode_simple_json),
}


def measure(call, argument):
    start = time.perf_counter()
    calls = 0
    while time.perf_counter() - start < 0.04:
        for _ in range(16):
            call(argument)
        calls += 16
    return (time.perf_counter() - start) / calls * 1e9


print(platform.python_implementation(), platform.python_version(), flush=True)
for line in sys.stdin:
    operation, wire_format, text = line.split(" ", 2)
    encode, decode = CODECS[wire_format]
    message = json.loads(text)
    if operation == "encode":
        print(measure(encode, message), flush=True)
    else:
        print(measure(decode, encode(message)), flush=True)

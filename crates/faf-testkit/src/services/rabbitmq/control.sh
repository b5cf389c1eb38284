# Runs a private RabbitMQ and its port mapper. Orders come as lines on standard input; "done" on
# standard output answers each. Everything ends with standard input, and so with the process that
# holds its other end, even if that is killed.
folder=$1 program=$2
start() {
    "$program" >"$folder/output" 2>&1 </dev/null &
    broker=$!
}
control() {
    "$(dirname "$program")/rabbitmqctl" -n "$RABBITMQ_NODENAME" "$@" >"$folder/control" 2>&1 </dev/null ||
        cat "$folder/control" >&2
}
epmd -port "$ERL_EPMD_PORT" -address 127.0.0.1 >/dev/null 2>&1 </dev/null &
mapper=$!
start
echo done
while read -r order; do
    case $order in
        start) start ;;
        kill) kill -KILL $broker; wait $broker 2>/dev/null ;;
        pause) kill -STOP $broker ;;
        resume) kill -CONT $broker ;;
        # A memory limit that is always exceeded makes the broker block publishers.
        block) control set_vm_memory_high_watermark absolute 1 ;;
        unblock) control set_vm_memory_high_watermark 0.9 ;;
    esac
    echo done
done
kill -KILL $broker $mapper 2>/dev/null
wait $broker $mapper 2>/dev/null
rm -rf "$folder"

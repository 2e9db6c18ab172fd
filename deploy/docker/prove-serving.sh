#!/bin/bash
# The second half of prove.sh, in mount and network namespaces of its own: serve from FOLDER/image, read, stop.
#
#     prove-serving.sh FOLDER SAMPLES      FOLDER also has USER, ENTRYPOINT, CMD, HEALTHCHECK as the Dockerfile says
set -euo pipefail

folder=$1 samples=$2
root=$folder/image
IFS=: read -r uid gid < "$folder/USER"
exec_form='import json, os, sys; command = sum(map(json.loads, sys.argv[1:]), []); os.execvp(command[0], command)'

say() { echo "prove: $*" >&2; }

set_up_root() { # read-only, but for /data and /tmp
    ip link set lo up
    mount --bind "$root" "$root"
    mount -t tmpfs -o "size=64m,noexec,nosuid,nodev,uid=$uid,gid=$gid,mode=0700" data "$root/data"
    mount -t tmpfs -o size=64m,noexec,nosuid,nodev tmp "$root/tmp"
    mount -o remount,ro,bind "$root"
}

# With the environment of the image and nothing else; as its user, in its root, without capabilities.
with_environment=(env -i PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
    /bin/bash -c ". '$root.env'; exec \"\$@\"" -)
as_user=(chroot "$root" setpriv --reuid "$uid" --regid "$gid" --clear-groups --no-new-privs --inh-caps=-all
    --bounding-set=-all)

start() { # as process 1 of its own namespace
    "${with_environment[@]}" unshare --pid --fork --kill-child --mount-proc="$root/proc" "${as_user[@]}" \
        python3 -c "$exec_form" "$(cat "$folder/ENTRYPOINT")" "$(cat "$folder/CMD")" > "$folder/log" 2>&1 &
    unshared=$!
    until server=$(pgrep -P "$unshared"); do sleep 0.05; done
}

inside() { "${with_environment[@]}" "${as_user[@]}" "$@"; }

ready() {
    inside python3 -IS -c 'import sys, urllib.request as u; print(u.urlopen(sys.argv[1], timeout=5).read().decode())' \
        http://127.0.0.1:8000/readyz 2> /dev/null
}

wait_ready() {
    local start=$EPOCHREALTIME
    for _ in $(seq 300); do
        ready > /dev/null && break
        kill -0 "$unshared" 2> /dev/null || { say "the server has ended"; return 1; }
        sleep 0.1
    done
    say "ready: $(ready) after $(echo "$EPOCHREALTIME $start" | awk '{ printf "%.1f", $1 - $2 }') s"
}

check_isolation() {
    say "process $(awk '/^NSpid/ { print $NF }' "/proc/$server/status") of its namespace," \
        "user $(stat -c %u "/proc/$server")," \
        "capabilities $(awk '/^CapEff/ { print $2 }' "/proc/$server/status")"
    [ "$(stat -c %u:%g "/proc/$server")" = "$uid:$gid" ]
    if inside touch /opt/text-recognizer/x 2> /dev/null || touch "$root/x" 2> /dev/null; then
        say "the root can be written to"
        return 1
    fi
}

check_reading() { # posts a sample as JSON, asks for it to be kept, and looks for its words
    inside python3 -c '
import base64, json, sys, urllib.request as u
image = base64.b64encode(sys.stdin.buffer.read()).decode()
body = json.dumps({"image": image, "store": True}).encode()
asked = u.Request("http://127.0.0.1:8000/v1/predict", body, {"Content-Type": "application/json"})
answer = json.load(u.urlopen(asked, timeout=60))
found = answer["pred"].splitlines()[1], "... confidence", answer["conf"], "in", answer["milliseconds"], "ms"
print(*found, file=sys.stderr)
truth = set(sys.argv[1].split())
assert len(truth & set(answer["pred"].split())) > 0.8 * len(truth), answer["pred"]
assert answer["stored"], answer
assert b"text_recognizer_pages_total" in u.urlopen("http://127.0.0.1:8000/metrics", timeout=5).read()
' "$(cat "$samples/letter.txt")" < "$samples/letter.jpg"
    say "memory: $(awk '/^VmRSS|^VmHWM/ { print $1, int($2 / 1000) " MB" }' "/proc/$server/status" | paste -sd ' ')"
    say "kept in /data: $(cd "$root/data" && find . -type f | sort | paste -sd ' ')"
    [ ! -e "$root/data/.cache" ] # ONNX Runtime's telemetry writes there, where it is not off
}

stop() {
    local code=0
    kill -TERM "$server"
    wait "$unshared" || code=$?
    say "stopped by SIGTERM with exit code $code"
    [ "$code" = 0 ]
}

healthy() {
    inside python3 -c "$exec_form" "$(cat "$folder/HEALTHCHECK")"
    say "the HEALTHCHECK of the Dockerfile passes"
}

end() {
    local code=$?
    [ "$code" = 0 ] || tail -n 20 "$folder/log" >&2
    kill -KILL "${unshared:-}" 2> /dev/null || true # and with it the server
    exit "$code"
}

trap end EXIT
set_up_root
start
wait_ready
check_isolation
healthy
check_reading
stop

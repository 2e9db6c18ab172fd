#!/bin/bash
# Proves the Dockerfile where no Docker runs: follows its instructions in roots that debootstrap made, then serves.
#
#     sudo deploy/docker/prove.sh [FOLDER]      a FOLDER that is kept makes the next run quicker (its base stays)
#
# The base is Debian bookworm with its own Python 3.11, where the image has python:3.11-slim-bookworm. The server runs
# as in compose.yaml: process 1 of its own namespace, the user and the command of the Dockerfile, a read-only root,
# no capabilities, no network but loopback, /data and /tmp writable. Exits with an error where anything fails.
# The mirror is $DEBIAN_MIRROR, or the machine's own. Needs root, debootstrap, unshare, ip.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
context=$(cd "$here/../.." && pwd)

say() { echo "prove: $*" >&2; }

mirror() { # of the machine, from either format of apt's sources; nothing where it has none
    cat /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list 2> /dev/null |
        awk '$1 == "URIs:" { print $2; exit } $1 == "deb" { print ($2 ~ /^\[/) ? $3 : $2; exit }'
}

make_base() {
    [ -e "$folder/base/usr/bin/python3" ] && return
    say "making the base"
    debootstrap --variant=minbase --include=python3,python3-venv,ca-certificates bookworm "$folder/base.partial" \
        "${DEBIAN_MIRROR:-$(mirror)}" > "$folder/debootstrap.log"
    rm -rf "$folder"/base.partial/var/cache/apt/archives/*.deb "$folder"/base.partial/var/lib/apt/lists/*
    mv "$folder/base.partial" "$folder/base"
}

in_root() { # ROOT COMMAND: as RUN does it, with the environment and the folder that the instructions have set so far
    local -a passed=()
    # Where this machine installs from, and through what.
    mapfile -t passed < <(env | grep -E '^(PIP_(INDEX|EXTRA|CERT|DEFAULT)|https?_proxy)' || true)
    env -i HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "${passed[@]}" \
        chroot "$1" /bin/sh -ec "$(cat "$1.env")"$'\n'"cd $(cat "$1.dir")"$'\n'"$2"
}

copy() { # ROOT [--from=STAGE] SOURCE... TARGET
    local root=$1 from=$context
    shift
    case $1 in --from=*) from=$folder/${1#--from=}; shift ;; esac
    local target=${*: -1}
    case $target in /*) target=$root$target ;; *) target=$root$(cat "$root.dir")/$target ;; esac
    local source
    for source in "${@:1:$#-1}"; do
        source=$from/${source#/}
        if [ -d "$source" ]; then
            mkdir -p "$target"
            (cd "$source" && tar -c --exclude=__pycache__ --exclude='*.pyc' .) | tar -x --no-same-owner -C "$target"
        else
            cp "$source" "$target"
        fi
    done
}

begin_stage() { # IMAGE [AS NAME]
    root=$folder/${3:-image}
    rm -rf "$root" && cp -a "$folder/base" "$root"
    cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/" # installing may go through a proxy of this machine
    : > "$root.env"
    echo / > "$root.dir"
}

instruction() { # NAME REST
    case $1 in
        FROM) read -ra words <<< "$2"; begin_stage "${words[@]}" ;;
        WORKDIR) echo "$2" > "$root.dir"; mkdir -p "$root$2" ;;
        ENV) echo "export $2" >> "$root.env" ;;
        COPY) read -ra words <<< "$2"; copy "$root" "${words[@]}" ;;
        RUN) in_root "$root" "$2" ;;
        USER | HEALTHCHECK | ENTRYPOINT | CMD) echo "$2" > "$folder/$1" ;;
        ARG | LABEL | VOLUME | EXPOSE | STOPSIGNAL) ;;
        *) say "unknown instruction $1"; return 1 ;;
    esac
}

follow_dockerfile() {
    while read -r name rest; do
        say "$name ${rest:0:100}"
        instruction "$name" "$rest" < /dev/null
    done < <(sed -e '/^#/d' -e '/^$/d' "$here/Dockerfile" | sed -e ':a' -e '/\\$/{N;s/\\\n//;ba}')
    sed -i 's/^.*CMD //' "$folder/HEALTHCHECK"
}

size() { # the installed root, above the base, in MB
    local total base
    total=$(du -s --block-size=1000000 --apparent-size "$folder/image" | cut -f1)
    base=$(du -s --block-size=1000000 --apparent-size "$folder/base" | cut -f1)
    say "size: $((total - base)) MB above the base of $base MB"
    (cd "$folder/image/opt/text-recognizer/lib"/python3*/site-packages && du -s --block-size=1000000 ./*) |
        sort -rn | head -8
}

make_base_and_image() {
    make_base
    follow_dockerfile
    size
}

[ "$(id -u)" = 0 ] || { say "needs root"; exit 1; }
kept=${1:-}
folder=$(realpath -m "${kept:-$(mktemp -d)}")
mkdir -p "$folder"
[ -n "$kept" ] || trap 'rm -rf "$folder"' EXIT
make_base_and_image
unshare --mount --net "$here/prove-serving.sh" "$folder" "$context/samples"
say "proved"

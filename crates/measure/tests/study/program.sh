#!/bin/sh
# `config show` prints the overrides as TOML; `train` writes one line and behaves as the seed says: 1 ends well, 2 fails,
# 3 is interrupted once and ends well on `resume`.
verb=$1
if [ "$verb" = config ]; then
    shift 3
    while [ $# -gt 1 ]; do echo "$2"; shift 2; done
    exit 0
fi
line='{"step":1,"split":"eval","loss":1.5}'
if [ "$verb" = resume ]; then echo "$line" > "$2/metrics.jsonl"; exit 0; fi
if [ -e "$4" ]; then echo "error: the folder is not empty" >&2; exit 2; fi
mkdir -p "$4"
case "$*" in
    *run.seed=2*) echo "step 1"; echo "error: the loss is NaN" >&2; echo "hint: lower the rate" >&2; exit 3 ;;
    *run.seed=3*) : > "$4/config.toml"; exit 130 ;;
esac
: > "$4/config.toml"
echo "$line" > "$4/metrics.jsonl"
sleep 0.2

#!/usr/bin/env bash
# The line recogniser, a CRNN with CTC, from data to a bundle that reads.
#
#     bash experiments/recipes/lines.sh              minutes: shows that all works; CTC has not begun to read by then
#     SIZE=full bash experiments/recipes/lines.sh    a model like version 1: an afternoon on two cores
#
# What follows goes to the training: ... lines.sh --trainer.epochs=30
set -euo pipefail

SIZE=${SIZE:-small}
NAME=${NAME:-recipe-lines-$SIZE}
OUTPUT=${OUTPUT:-bundles/$NAME}

changes=(--name="$NAME")
if [ "$SIZE" = small ]; then
    changes+=(--trainer.epochs=2 --trainer.limit=0.05)
    changes+=("--data.train=[{name: iam-train}]" "--data.val=[{name: iam-val}]")
fi

text-recognizer data prepare iam
# What to try when this does not learn: docs/troubleshooting.md.
text-recognizer train experiments/lines.yaml "${changes[@]}" "$@"
text-recognizer export "$NAME" --output "$OUTPUT"
text-recognizer evaluate --model "$OUTPUT" --worst 5
text-recognizer diagnose "$NAME"

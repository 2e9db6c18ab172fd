#!/usr/bin/env bash
# Lines set in fonts first, which cost nothing, then real ones.
#
#     bash experiments/recipes/synthetic-to-real.sh              minutes: shows that all works
#     SIZE=full bash experiments/recipes/synthetic-to-real.sh    hours on two cores
#
# What follows goes to both trainings: ... synthetic-to-real.sh --data.workers=2
set -euo pipefail

SIZE=${SIZE:-small}
NAME=${NAME:-recipe-real-$SIZE}
OUTPUT=${OUTPUT:-bundles/$NAME}

fonts=(--name="$NAME-fonts" "--data.train=[{name: synthetic, count: 20000}]" "--data.val=[{name: iam-val}]")
# The real lines go on with small steps: large ones would wipe out what the fonts taught.
real=(--name="$NAME" --start_from="$OUTPUT-fonts" --optimization.learning_rate=0.0005)
if [ "$SIZE" = small ]; then
    fonts+=("--data.train=[{name: synthetic, count: 400}]" --trainer.epochs=1)
    real+=("--data.train=[{name: iam-train}]" "--data.val=[{name: iam-val}]" --trainer.epochs=1 --trainer.limit=0.05)
fi

text-recognizer train experiments/lines.yaml "${fonts[@]}" "$@"
# What fonts teach is not yet reading: its error on real lines is mostly shift.
text-recognizer diagnose "$NAME-fonts" --target iam-val
text-recognizer export "$NAME-fonts" --output "$OUTPUT-fonts" --no-measure
text-recognizer train experiments/lines.yaml "${real[@]}" "$@"
text-recognizer export "$NAME" --output "$OUTPUT"
text-recognizer evaluate --model "$OUTPUT"

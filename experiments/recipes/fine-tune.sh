#!/usr/bin/env bash
# The shipped line recogniser learns your hand: images with PAGE XML or ALTO files, with train/ and val/ in the folder.
#
#     bash experiments/recipes/fine-tune.sh letters                 minutes on two cores
#     SIZE=full bash experiments/recipes/fine-tune.sh letters       as long as helps
#     KIND=folder bash experiments/recipes/fine-tune.sh exported    what `feedback export` wrote
#
# What follows goes to the training: ... fine-tune.sh letters --data.workers=2
set -euo pipefail

FOLDER=${1:?name the folder of your pages}
shift
KIND=${KIND:-pages}
SIZE=${SIZE:-small}
NAME=${NAME:-recipe-fine-tune-$SIZE}
OUTPUT=${OUTPUT:-bundles/$NAME}

# Some lines of IAM beside yours, so that what it knew is not forgotten; small steps for the same reason.
changes=(
    --name="$NAME" --start_from=lines --optimization.learning_rate=0.0002 --optimization.ema_decay=0.99
    "--data.train=[{name: $KIND, path: '$FOLDER'}, {name: iam-train, lines: 500}]"
    "--data.val=[{name: $KIND, path: '$FOLDER', split: val}]"
)
if [ "$SIZE" = small ]; then
    changes+=(--trainer.epochs=3)
fi

text-recognizer data prepare "$KIND" --path "$FOLDER"
text-recognizer train experiments/lines.yaml "${changes[@]}" "$@"
text-recognizer export "$NAME" --output "$OUTPUT"
# Before and after, on lines of yours that it has not seen.
text-recognizer diagnose lines --target "$KIND:$FOLDER"
text-recognizer diagnose "$NAME" --target "$KIND:$FOLDER" --target iam-val

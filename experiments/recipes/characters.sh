#!/usr/bin/env bash
# Single characters, from data to a bundle that reads.
#
#     bash experiments/recipes/characters.sh              a few minutes: shows that all works, reads badly
#     SIZE=full bash experiments/recipes/characters.sh    the shipped model: half an hour on two cores
#
# What follows goes to the training: ... characters.sh --network.name=resnet
set -euo pipefail

SIZE=${SIZE:-small}
NAME=${NAME:-recipe-characters-$SIZE}
OUTPUT=${OUTPUT:-bundles/$NAME}

changes=(--name="$NAME")
if [ "$SIZE" = small ]; then
    changes+=(--trainer.epochs=2)
    changes+=("--data.train=[{name: iam-train, characters: 6000}, {name: fonts, characters: 2000}]")
fi

# Characters are cut out of the lines by the shipped line recogniser, once.
text-recognizer data prepare iam-characters
text-recognizer train experiments/characters.yaml "${changes[@]}" "$@"
text-recognizer export "$NAME" --output "$OUTPUT"
text-recognizer evaluate --model "$OUTPUT" --confusion "$OUTPUT/confusion.png"
text-recognizer diagnose "$NAME"

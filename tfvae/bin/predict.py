"""Labels, codes and captions of many images, by an exported model.

python -m tfvae.bin.predict --model=savedmodels/sdgm --input=photos/ --output=predictions/

It asks an exported model, and goes on where one that was killed stopped.
"""

from absl import flags

from tfvae.command_line import command

_MODEL = flags.DEFINE_string("model", None, "A version, or a base path whose newest one is taken.", required=True)
_INPUT = flags.DEFINE_string("input", None, "A folder of images, or the shards of tfvae-ingest.", required=True)
_OUTPUT = flags.DEFINE_string("output", None, "Folder of part-<i>-of-<n>.jsonl, which is made.", required=True)
_ASK = flags.DEFINE_list(
    "ask", [], "Of classify, novelty, encode, caption, tag, cluster; all that it has by default; or translate_..."
)
_FORMAT = flags.DEFINE_enum(
    "format", "jsonl", ["jsonl", "tfrecord"], "tfrecord: tf.Examples; jsonl brings a table and a page."
)
_ROWS_PER_PART = flags.DEFINE_integer("rows_per_part", 1000, "Images of a folder in a part.", lower_bound=1)


def predicted(spread=map, done=None):
    """Does what the flags say; `spread` and `done` as of `tfvae.serving.predictions.predict`."""
    from tfvae.progress import tell
    from tfvae.reports import predictions_page
    from tfvae.serving import export, predictions

    asked = (tuple(_ASK.value), _FORMAT.value, _ROWS_PER_PART.value)
    predictions.predict(_MODEL.value, _INPUT.value, _OUTPUT.value, *asked, spread=spread, done=done)
    if _FORMAT.value == "jsonl":
        names = export.describe(export.newest(_MODEL.value))["class_names"]
        for path in predictions_page.write(_OUTPUT.value, names):
            tell(f"see {path}")


def main():
    from tfvae.progress import Progress, tell_next

    with Progress() as progress:
        predicted(done=progress.counter("images"))
    tell_next("tfvae-drift", f"--model={_MODEL.value}", "--reference=shards/", f"--input={_INPUT.value}")


run = command.of(main)


if __name__ == "__main__":
    run()

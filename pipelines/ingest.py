"""Own images, or a set of TFDS -> shards, on Beam:

python -m pipelines.ingest --input=photos/ --output=shards/ --workers=2 [--image_size=64] [--beam='--runner=...']
python -m pipelines.ingest --tfds=mnist --output=shards/ --workers=2

It writes the very shards of tfvae-ingest, and goes on where one that was killed stopped.
"""

from absl import app

from pipelines import workers
from tfvae.bin import ingest
from tfvae.command_line import errors


@errors.friendly
def main(argv):
    del argv
    ingest.ingested(workers.of_flags(), resume=True)


if __name__ == "__main__":
    app.run(main)

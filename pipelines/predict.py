"""Labels, codes and captions of many images, on Beam:

python -m pipelines.predict --model=savedmodels/sdgm --input=photos/ --output=out/ --workers=2 [--beam='--runner=...']

It writes the very lines of tfvae-predict, and goes on where one that was killed stopped.
"""

from absl import app

from pipelines import workers
from tfvae.bin import predict
from tfvae.command_line import errors


@errors.friendly
def main(argv):
    del argv
    predict.predicted(workers.of_flags())


if __name__ == "__main__":
    app.run(main)

"""Asks an exported model about image files: a line each, with the label and how sure it is, or a caption.

python -m tfvae.bin.ask --model=savedmodels/sdgm photo.png ...
"""

from absl import flags

from tfvae.command_line import command

_MODEL = flags.DEFINE_string("model", None, "A version, or a base path whose newest one is taken.", required=True)


def main(files):
    from tfvae.progress import tell_next
    from tfvae.serving import asking

    if not files:
        raise ValueError(f"Name image files to ask about: tfvae-ask --model={_MODEL.value} photo.png")
    for line in asking.ask(_MODEL.value, files):
        print(line, flush=True)
    tell_next("tfvae-predict", f"--model={_MODEL.value}", "--input=photos/", "--output=predictions/")


run = command.of(main, takes_files=True)


if __name__ == "__main__":
    run()

"""A trained run -> a new version for TensorFlow Serving: `python -m tfvae.bin.export --workdir=... --output=...`."""

import pathlib

from absl import flags, logging

from tfvae.command_line import command

_WORKDIR = flags.DEFINE_string("workdir", None, "Directory of the run.", required=True)
_OUTPUT = flags.DEFINE_string("output", None, "The model's base path, e.g. savedmodels/sdgm.", required=True)
_BASE_PATH = flags.DEFINE_string("base_path", "/models", "Where the server sees the directory above --output.")


def main():
    from tfvae.evaluation import calibration
    from tfvae.progress import tell, tell_next
    from tfvae.run import opening
    from tfvae.run.directory import RunDirectory
    from tfvae.serving import export, models_config

    logging.set_verbosity(logging.WARNING)  # TensorFlow tells of every signature how it renamed its weights.
    export.check_output(_OUTPUT.value)
    tell(f"opening {_WORKDIR.value}")
    run = opening.open_without_data(_WORKDIR.value)
    directory = RunDirectory(run.workdir)
    held_out = calibration.of_run(run.model, run.workdir)
    known = (directory.description(), tell, held_out, export.measured_of(directory))
    version = export.export(run.model, run.data, _OUTPUT.value, None, *known)
    config = models_config.update(pathlib.Path(_OUTPUT.value).resolve().parent, _BASE_PATH.value)
    print(f"{version} is ready to be served; {config} lists it.\n")
    print(export.summary(version), flush=True)
    if {"classify_bytes", "caption_bytes", "tag_bytes", "cluster_bytes"} & set(export.describe(version)["signatures"]):
        tell_next("tfvae-ask", f"--model={_OUTPUT.value}", "photo.png")


run = command.of(main)


if __name__ == "__main__":
    run()

"""Measures a trained run: `python -m tfvae.bin.evaluate --workdir=runs/sdgm` writes metrics.json and report.html."""

import json
import shlex
import sys

from absl import flags

from tfvae.command_line import command

_WORKDIR = flags.DEFINE_string("workdir", None, "A run directory that tfvae-train made.", required=True)
_SAMPLES = flags.DEFINE_integer("num_samples", 1, "S: errors and captions are averaged over S draws.", lower_bound=1)
_IW_SAMPLES = flags.DEFINE_integer("iw_samples", 100, "k of the importance-weighted bound; 0: none.", lower_bound=0)
_DECODING = flags.DEFINE_enum("decoding", "", ["", "greedy", "sample", "beam"], "Of captions; empty: the run's.")
_ROWS = flags.DEFINE_integer("rows", 1000, "Test rows for the bounds, drawn at random; 0: all.", lower_bound=0)
_BASELINES = flags.DEFINE_bool("baselines", False, "Also trains scikit-learn's rivals on the same labels.")
_DRAWS = flags.DEFINE_integer("draws", 0, "Also trains on N label draws, in <workdir>/draws/<n>.", lower_bound=0)
_DATA_PATH = flags.DEFINE_string("data_path", "", "Where the data are now, if they moved since the training.")
_CLASSIFIER = flags.DEFINE_string("classifier", "", "Judge of samples: a run, a Keras or SavedModel, or inception_v3.")
_COMPARE = flags.DEFINE_list("compare", [], "Run directories whose curves are drawn beside this one's.")


def measured(opened):
    """The metrics of a run, as they are also written to its metrics.json, and told in words."""
    from tfvae.evaluation import evaluate, measurement
    from tfvae.progress import Progress, tell
    from tfvae.storage import checked_json

    chosen = _SAMPLES.value, _IW_SAMPLES.value, _ROWS.value, _BASELINES.value, 0, _DECODING.value
    with Progress() as progress:
        metrics = evaluate.evaluate(opened.model, opened.data, None, *chosen, progress, _CLASSIFIER.value)
    checked_json.write(opened.workdir / "metrics.json", metrics)
    tell(f"{opened.workdir}: {measurement.in_words(metrics, opened.data)}")
    return metrics


def draw(drawn, workdir, number):
    """Trains and measures one label draw; the run itself, which is one of them, needs neither."""
    from tfvae.run.opening import open_run
    from tfvae.training import trainer

    trainer.train(drawn, workdir / "draws" / str(number))
    return measured(open_run(workdir / "draws" / str(number)))


def main():
    from tfvae.evaluation import evaluate, label_draws
    from tfvae.progress import tell, tell_next
    from tfvae.reports import report
    from tfvae.run.opening import open_run

    opened = experiment, _, _, workdir = open_run(_WORKDIR.value, _DATA_PATH.value)
    metrics = measured(opened)
    drawn = {n: label_draws.experiment_of(experiment, n) for n in range(_DRAWS.value)}
    tell(*label_draws.announcement(opened, [n for n in drawn if drawn[n] != experiment]))
    metrics |= label_draws.summary([metrics if e == experiment else draw(e, workdir, n) for n, e in drawn.items()])
    tell(report.write(opened, metrics, _COMPARE.value, shlex.join(["tfvae-evaluate", *sys.argv[1:]])))
    print(json.dumps(evaluate.scalars(metrics) | label_draws.flat(metrics.get("draws", {}))), flush=True)
    tell_next("tfvae-export", f"--workdir={workdir}", f"--output=savedmodels/{workdir.resolve().name}")


run = command.of(main)

if __name__ == "__main__":
    run()

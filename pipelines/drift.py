"""Have new shards drifted from those behind the last version that a pipeline pushed?

python -m pipelines.drift --config=... --input=shards/ --workdir=runs/pipeline --output=savedmodels/photos \
  --new=new_shards/ [--report=drift.html]

TensorFlow Data Validation compares their statistics with the schema and the statistics of the training data (its
comparators: missing features, values out of their domain, the distribution of labels), and the served model their
codes and bounds with those of rows that were held out. Exit codes: 0 where nothing changed, 3 where something did.
"""

import sys
from pathlib import Path

from absl import app, flags

from pipelines import command
from tfvae.command_line.errors import friendly, parse_flags

_NEW = flags.DEFINE_string("new", None, "Shards of the new images.", required=True)
_REPORT = flags.DEFINE_string("report", "drift.html", "The page that is written.")
_IMAGES = flags.DEFINE_integer("images", 500, "At most so many of each are asked about.", lower_bound=10)
_LEVEL = flags.DEFINE_float("level", 0.01, "How often equal data pass for changed, by all tests.", 0.005, 1.0)


@friendly
def main(argv):
    del argv
    settings = command.settings()
    from pipelines import record, runner, statistics  # After the flags are known to be right: they take long to import.
    from tfvae.monitoring import drift, drift_report
    from tfvae.storage import atomic

    reference, new = record.shards_of_last_push(settings), Path(_NEW.value).absolute()
    if reference.resolve() == new.resolve():
        raise ValueError(f"`--new` {new} is what the served version was trained on: name other shards.")
    with runner.quiet():
        anomalies = statistics.anomalies(settings, reference, new)
    found = drift.measure(settings.output, reference, new, _IMAGES.value, level=_LEVEL.value)
    page = drift_report.render(found, _LEVEL.value, anomalies)
    atomic.write_bytes(Path(_REPORT.value), page.encode())
    changed = drift.drifted(found, _LEVEL.value)
    for text in anomalies:
        print(f"anomaly: {text}")
    print(f"changed: {', '.join(changed) or 'nothing'}; {_REPORT.value} shows it. {drift.verdict(found, _LEVEL.value)}")
    sys.exit(3 if changed or anomalies else 0)


if __name__ == "__main__":
    app.run(main, flags_parser=parse_flags)

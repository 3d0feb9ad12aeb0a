"""A table or figure of a source, made anew beside the source's numbers.

python -m tfvae.bin.reproduce --table=adgm-moons --budget=small [--draws=3] [--data_dir=...] [--output=tools/results]
"""

from absl import flags, logging

from tfvae.command_line import command
from tfvae.reproduction.tables import BUDGETS, TABLES

_TABLE = flags.DEFINE_enum("table", None, sorted(TABLES), "Which table or figure.", required=True)
_BUDGET = flags.DEFINE_enum("budget", "small", BUDGETS, "Size of the presets; tiny: one epoch, to see that it works.")
_WORKDIR = flags.DEFINE_string("workdir", "runs/reproduce", "Where the runs go; what is there is gone on with.")
_DATA_DIR = flags.DEFINE_string(
    "data_dir", "", "Where TFDS keeps its sets, empty for its default; for dgdn-3 Flickr8k's folder."
)
_DRAWS = flags.DEFINE_integer("draws", 3, "Draws of labels, initialisation and noise.", lower_bound=1)
_OUTPUT = flags.DEFINE_string("output", "tools/results", "Where the JSON and the figures are written.")


def main():
    from tfvae.reproduction import results
    from tfvae.reproduction.reproduce import reproduce

    logging.set_verbosity(logging.INFO)
    name = _TABLE.value
    result = reproduce(name, TABLES[name], _BUDGET.value, _WORKDIR.value, _OUTPUT.value, _DRAWS.value, _DATA_DIR.value)
    print(results.text(result))


run = command.of(main)


if __name__ == "__main__":
    run()

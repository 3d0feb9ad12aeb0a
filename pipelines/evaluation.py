"""The Evaluator's measures and limits, and its findings in words."""

from pathlib import Path

import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.proto import config_pb2

from pipelines import metrics
from tfvae.batch import LABEL


def eval_config(thresholds, classifies, bounds=True):
    """The Evaluator's config: its measures, and the limits of a model that is blessed.

    Args:
        thresholds: `pipelines.settings.Thresholds`.
        classifies: whether the model has probabilities; then labels are read, and every test row must have one.
        bounds: whether it has a bound on log p(x).
    """
    judged = [_metric("Bound", thresholds.bound, thresholds.bound_slack, rises=True)] if bounds else []
    if classifies:
        judged += [
            _metric("Error", thresholds.error, thresholds.error_slack),
            _metric("CalibrationError", thresholds.calibration_error, thresholds.calibration_error_slack),
        ]
    counted = config_pb2.MetricConfig(class_name="ExampleCount")
    specs = [
        config_pb2.ModelSpec(signature_name=metrics.SIGNATURE, label_key=LABEL if classifies else "", **baseline)
        for baseline in ({"name": tfma.CANDIDATE_KEY}, {"name": tfma.BASELINE_KEY, "is_baseline": True})
    ]
    slices = [config_pb2.SlicingSpec(), *([config_pb2.SlicingSpec(feature_keys=[LABEL])] if classifies else [])]
    return config_pb2.EvalConfig(
        model_specs=specs, slicing_specs=slices, metrics_specs=[config_pb2.MetricsSpec(metrics=[counted, *judged])]
    )


def _metric(class_name, limit, slack, rises=False):
    """A metric with its limit, and with how much worse than the last blessed model's it may be.

    Changes are absolute: a fraction of an error of 0, or of a bound that may have either sign, says nothing.
    """
    bounded = {"lower_bound" if rises else "upper_bound": {"value": limit}}
    direction = config_pb2.MetricDirection.HIGHER_IS_BETTER if rises else config_pb2.MetricDirection.LOWER_IS_BETTER
    threshold = config_pb2.MetricThreshold(
        value_threshold=config_pb2.GenericValueThreshold(**bounded),
        change_threshold=config_pb2.GenericChangeThreshold(
            direction=direction, absolute={"value": -slack if rises else slack}
        ),
    )
    # Over all examples; single classes are measured too, but few rows of one would refuse good models by chance.
    overall = config_pb2.PerSliceMetricThreshold(slicing_specs=[config_pb2.SlicingSpec()], threshold=threshold)
    return config_pb2.MetricConfig(class_name=class_name, module=metrics.__name__, per_slice_thresholds=[overall])


def failures(uri):
    """Why the evaluation in a folder blesses nothing, a text for each metric that missed its threshold."""
    result = tfma.load_validation_result(str(uri))
    found = []
    if result.missing_thresholds:
        found.append("a metric was not measured")
    for validated in result.metric_validations_per_slice:
        found += [_missed(failure) for failure in validated.failures]
    return found


def measured(uri):
    """{metric: value} of the candidate over all test examples; {} where there is no evaluation."""
    if not (Path(uri) / "eval_config.json").exists():
        return {}
    return {
        entry.key.name: entry.value.double_value.value
        for sliced in tfma.load_metrics(str(uri))
        if not sliced.slice_key.single_slice_keys
        for entry in sliced.metric_keys_and_values
        if entry.value.HasField("double_value") and not entry.key.is_diff and entry.key.model_name != tfma.BASELINE_KEY
    }


def _missed(failure):
    name, value = failure.metric_key.name, failure.metric_value.double_value.value
    threshold = failure.metric_threshold
    if failure.metric_key.is_diff:
        allowed = threshold.change_threshold.absolute.value
        return f"{name} is {value:+.4g} from that of the last blessed model, {allowed:+.4g} is allowed"
    bounds = threshold.value_threshold
    if bounds.HasField("upper_bound") and value > bounds.upper_bound.value:
        return f"{name} is {value:.4g}, at most {bounds.upper_bound.value:.4g} is allowed"
    return f"{name} is {value:.4g}, at least {bounds.lower_bound.value:.4g} is needed"

"""Two versions on the same requests: what a new one would change, before clients see it."""

import time

import numpy as np

from tfvae.monitoring import served

# What is compared: signature -> output.
_COMPARED = {"classify": "probabilities", "encode": "mean", "reconstruct": "image"}


def compare(stable, canary, source, num=200, seed=0):
    """Asks two versions about the same images.

    Args:
        stable, canary: paths of versions, or base paths whose newest one is taken.
        source: a folder of images, or shards, of which `num` images are drawn.
        num, seed: of the draw.

    Returns:
        {"images", "stable", "canary", "lost": signatures that the canary does not have, "disagreement": share of
        images whose class differs, "bound_change" (nats, the canary's mean minus the stable one's), "largest_change":
        {signature: largest absolute difference of an answer}, "seconds": {version: of all requests, after the first}}.

    Raises:
        ValueError: for versions that take other images, or a source without one.
    """
    old, new = served.Served(stable), served.Served(canary)
    if old.shapes != new.shapes:
        raise ValueError(f"{old.version} takes images of {old.shapes}, {new.version} of {new.shapes}.")
    images = served.sample(source, old.shapes, num, seed)
    asked = _asked(old, new)
    answers, seconds = zip(*(_answers(version, asked, images) for version in (old, new)))
    found = {
        "images": len(next(iter(images.values()))),
        "stable": str(old.version),
        "canary": str(new.version),
        "lost": sorted(set(old.signatures) - set(new.signatures)),
        "largest_change": {name: _largest(*(answer[name] for answer in answers)) for name in asked},
        "seconds": dict(zip(("stable", "canary"), seconds)),
    }
    if "classify" in asked:
        classes = [_classes(version, answer["classify"]) for version, answer in zip((old, new), answers)]
        found["disagreement"] = float(np.mean(classes[0] != classes[1]))
    if asked.get("score") == "bound":
        found["bound_change"] = float(np.mean(answers[1]["score"]) - np.mean(answers[0]["score"]))
    return found


def refusals(found, max_disagreement, max_bound_loss):
    """Why a canary should not become the stable version; [] where nothing speaks against it."""
    reasons = [f"it has no {name}" for name in found["lost"]]
    if found.get("disagreement", 0.0) > max_disagreement:
        reasons.append(f"it names another class for {found['disagreement']:.1%} of the images")
    if not found.get("bound_change", 0.0) >= -max_bound_loss:
        reasons.append(f"its bound is {-found['bound_change']:.3g} nats lower")
    if not all(np.isfinite(change) for change in found["largest_change"].values()):
        reasons.append("an answer is not finite, or has another shape")
    return reasons


def verdict(found, reasons):
    """What speaks against the canary, or how much of it was compared, in a sentence."""
    if reasons:
        return f"Against {found['canary']}: {'; '.join(reasons)}."
    differ = f", {found['disagreement']:.1%} of which get another class" if "disagreement" in found else ""
    return f"Nothing speaks against {found['canary']} on {found['images']:,} images{differ}."


def _asked(old, new):
    """{signature: output} of what both answer about images: what is known, and what gives an image of its own."""
    shared = [name for name in new.described["signatures"] if old.compares(name) and new.compares(name)]
    asked = {name: output for name, output in _COMPARED.items() if name in shared}
    if new.score and new.score == old.score:
        asked["score"] = new.score
    for name in shared:
        outputs = new.described["signatures"][name]["outputs"]
        given = next((image for image in new.shapes if image in outputs), None)
        if name not in _COMPARED and given and set(new.takes(name)) & set(new.shapes):
            asked[name] = given
    return asked


def _answers(version, asked, images):
    """{signature: answers for all images}, and the seconds they took once everything was warm."""
    for name, output in asked.items():
        version.of_images(name, output, {image: values[:1] for image, values in images.items()})
    began = time.perf_counter()
    answers = {name: version.of_images(name, output, images) for name, output in asked.items()}
    return answers, round(time.perf_counter() - began, 3)


def _classes(version, probs):
    """Names, because two versions may number their classes differently."""
    names = version.class_names or [str(k) for k in range(probs.shape[-1])]
    return np.array(names)[probs.argmax(axis=-1)]


def _largest(old, new):
    return float(np.max(np.abs(old - new))) if old.shape == new.shape else float("inf")

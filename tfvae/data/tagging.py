"""Where tags come from, which of them are known, and what of a caption is one."""

import collections
import dataclasses
from collections.abc import Iterable, Sequence

from tfvae import ranges
from tfvae.batch import CAPTION, TAGS
from tfvae.data import captions
from tfvae.data.examples import Examples, Source

SOURCES = ("column", "captions")
WORDS = ("nouns", "all")

# English: what a noun phrase begins with, and what stands behind one.
_DETERMINERS = frozenset((
    "a", "an", "the", "this", "that", "these", "those", "another", "other", "some", "any", "no", "each", "every",
    "both", "several", "many", "few", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    "my", "your", "his", "her", "its", "our", "their",
))  # fmt: skip
_BEHIND = frozenset((
    "is", "are", "was", "were", "has", "have", "in", "on", "at", "of", "with", "by", "to", "from", "into", "onto",
    "through", "over", "under", "near", "while", "who", "which", "that", "as", "for", "during", "behind", "between",
    "against", "around", "along", "across", "down", "up", "off", "beside", "inside", "outside", "wearing", "holding",
))  # fmt: skip
# A noun follows a determiner at once, and ends its phrase there, in this share of its occurrences at least. On
# Flickr8k it parts "dog", "water" and "helmet" from "brown", "running" and "jumps".
_NOUN_SHARE = 0.1


@dataclasses.dataclass
class Config:
    """Which tags there are.

    Args:
        source: `column`, the tags of metadata and records; or `captions`, the words of an image's captions.
        words: of captions, the `nouns` (English), or `all` words.
        min_count: tags of fewer training images are left out.
        most: the tags of most training images that are kept; 0 for all.
    """

    source: str = ranges.field("column", ranges.Choices(SOURCES))
    words: str = ranges.field("nouns", ranges.Choices(WORDS))
    min_count: int = ranges.field(1, ranges.POSITIVE_COUNTS)
    most: int = ranges.field(0, ranges.COUNTS)


def known(column: Iterable[Sequence[str]], config: Config) -> tuple[str, ...]:
    """The tags of a column that are kept, the most frequent one first, equal ones by the alphabet.

    Args:
        column: of every training example its tags.
        config: `Config`.

    Raises:
        ValueError: where no tag is frequent enough.
    """
    counts = collections.Counter(tag for tags in column for tag in tags)
    kept = sorted((tag for tag in counts if counts[tag] >= config.min_count), key=lambda tag: (-counts[tag], tag))
    if counts and not kept:
        tag, count = counts.most_common(1)[0]
        raise ValueError(
            f"No tag is of {config.min_count} training images: the most frequent one, {tag!r}, is of {count}. Lower "
            "`data.tags.min_count`, or tag more images."
        )
    return tuple(kept[: config.most or None])


def tagged(source: Source, config) -> Source:
    """The source with the words of captions as tags, where `data.tags` asks for them.

    Args:
        source: `Source`.
        config: `tfvae.data.load.Config`.

    Raises:
        ValueError: where a config asks for the words of captions, and there are none.
    """
    ranges.check(config.tags, "data.tags")
    if config.tags.source != "captions":
        return source
    if not len(source.train.captioned()):
        raise ValueError("`data.tags.source=captions` needs captions, and no training image has one.")
    # What is a noun is a matter of English, not of the split: every training caption helps to tell.
    chosen = nouns(_texts(source.train)) if config.tags.words == "nouns" else None
    return source._replace(
        train=_with_tags(source.train, chosen),
        test=_with_tags(source.test, chosen),
        validation=None if source.validation is None else _with_tags(source.validation, chosen),
    )


def nouns(texts: Sequence[str]) -> frozenset[str]:
    """Words that are nouns, by where they stand: a tenth of the time or more between a determiner and what follows a
    noun phrase, as in "a dog is" and "the grass.".

    A heuristic without a lexicon, for English; it finds common nouns, and misses those that always follow an adjective.
    """
    said, as_noun = collections.Counter(), collections.Counter()
    for words in captions.split_words(texts):
        said.update(words)
        for before, word, behind in zip(words, words[1:], [*words[2:], ""]):
            as_noun[word] += before in _DETERMINERS and (not behind or behind in _BEHIND)
    grammar = _DETERMINERS | _BEHIND
    return frozenset(
        word for word, count in as_noun.items() if word not in grammar and count >= _NOUN_SHARE * said[word]
    )


def _with_tags(rows: Examples, chosen: frozenset[str] | None) -> Examples:
    """Rows whose tags are the chosen words of their captions, all words for None; in the order of the captions."""
    if CAPTION not in rows:
        return rows.with_columns(**{TAGS: ((),) * len(rows)})
    split = iter(captions.split_words(_texts(rows)))
    tags = []
    for of_image in rows.captions:
        said = (word for _ in of_image for word in next(split))
        tags.append(tuple(dict.fromkeys(word for word in said if chosen is None or word in chosen)))
    return rows.with_columns(**{TAGS: tuple(tags)})


def _texts(rows: Examples) -> list[str]:
    return [text for of_image in rows.captions for text in of_image]

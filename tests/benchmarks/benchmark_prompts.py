"""How well a checkpoint of spoken Russian numbers reads people's prompts, put together, and tells what is no number.

Numbers are drawn of the words that the prompts have, and put together in each manner of `word_joins`: at once,
blended, with the silence of the recordings, with pauses, with one long pause. What else was recorded beside the words
is no number, and neither is anything in the folders of strangers (other speech, noise).

    python tests/benchmarks/benchmark_prompts.py CHECKPOINT PROMPTS [--strangers FOLDER ...]
"""

import argparse
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score

from hf_audio.audio.loading import load_audio
from hf_audio.corpora.prompted_numbers import Prompts, find_prompts
from hf_audio.corpora.russian_numbers import number_words
from hf_audio.corpora.synthetic_numbers import draw_number
from hf_audio.corpora.word_joins import REST, SHARES, join_words
from hf_audio.folders import search_folder
from hf_audio.inference.checkpoint import load_classifier
from hf_audio.inference.classifier import AudioClassifier
from hf_audio.inference.facts import no_number

SURE = 0.9
MOST_STRANGERS = 300  # of a folder, drawn
LONGEST = 10  # seconds of a stranger


def draw_numbers(speaker: Prompts, count: int, rate: int, manner: str) -> Iterator[tuple[int, np.ndarray]]:
    """Numbers that a speaker's words can say, with their samples, (samples,)."""
    random = np.random.default_rng([20, *manner.encode()])
    while count:
        number = draw_number(random)
        files = speaker.find(number)
        if files is None:
            continue
        count -= 1
        if 1000 <= number < 2000 and random.random() < 0.5:
            files = files[1:]
        yield number, join_words([load_audio(file, rate) for file in files], rate, random, manner)


def judge(classifier: AudioClassifier, clips: list[np.ndarray]) -> np.ndarray:
    """Probabilities of each clip's digits, (clips, digits, 10)."""
    return classifier.judge(clips).reshape(len(clips), classifier.facts.num_digits, -1)


def tell(numbers: np.ndarray, scores: np.ndarray, missed: Counter[str]) -> tuple[str, np.ndarray]:
    """The figures of one manner, and of which clips the answer is right and sure, (clips, 2) of bool."""
    told = (scores.argmax(2) * 10 ** np.arange(scores.shape[1])[::-1]).sum(1)
    is_none = no_number(scores) > 0.5
    right = (told == numbers) & ~is_none
    sure = (scores.max(2).prod(1) >= SURE) & ~is_none
    for number, answer in zip(numbers[~right], told[~right], strict=True):
        missed.update(set(number_words(int(number))) - set(number_words(int(answer))))
    text = f"whole {right.mean():.3f}, of {sure.sum()} with {SURE} and more {right[sure].mean():.3f} right"
    return f"{text}, {is_none.mean():.3f} told to be none", np.stack([right, sure], axis=1)


def main() -> None:
    """Judge one checkpoint."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint")
    parser.add_argument("prompts", type=Path)
    parser.add_argument("--strangers", type=Path, nargs="*", default=[])
    parser.add_argument("--count", type=int, default=120, help="numbers in each manner")
    args = parser.parse_args()
    classifier = load_classifier(args.checkpoint)
    rate = classifier.sampling_rate
    for speaker in find_prompts(args.prompts):
        print(f"{speaker.speaker}: {len(speaker.words)} words, {len(speaker.others)} other prompts")
        missed: Counter[str] = Counter()
        numberness, outcomes = [], []
        for manner in (*SHARES, REST):
            numbers, clips = zip(*draw_numbers(speaker, args.count, rate, manner), strict=True)
            scores = judge(classifier, list(clips))
            text, outcome = tell(np.array(numbers), scores, missed)
            print(f"  {manner:<15}{text}", flush=True)
            numberness.append(1 - no_number(scores))
            outcomes.append(outcome)
        right, sure = np.concatenate(outcomes).T
        print(f"  all: whole {right.mean():.3f}, of {sure.sum()} sure ones {right[sure].mean():.3f} right")
        print("  words missed most: " + ", ".join(f"{word} {count}" for word, count in missed.most_common(12)))
        known = np.concatenate(numberness)
        for name, files in [("other prompts", speaker.others), *((str(each), None) for each in args.strangers)]:
            found = list(files or search_folder(Path(name)).audio)
            drawn = np.random.default_rng(0).permutation(len(found))[:MOST_STRANGERS]
            strange = [load_audio(found[place], rate)[: LONGEST * rate] for place in drawn]
            other = 1 - no_number(judge(classifier, strange))
            area = roc_auc_score(np.repeat([1, 0], [len(known), len(other)]), np.concatenate([known, other]))
            print(f"  {name}: AUROC {area:.3f}, {np.mean(other < 0.5):.3f} of {len(other)} told so", flush=True)


if __name__ == "__main__":
    main()

"""A collection by its embeddings: which clips lie among those of another class, and all of them in the plane."""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..lettering import letter

N_NEIGHBOURS = 5
MOST_DRAWN = 2000  # clips; t-SNE takes some seconds for so many
FEWEST = 20  # clips of which something is told
MOST_NAMED = 14  # doubtful clips that there is room for beside a picture
MOST_CLASSES = 50  # that have a colour of their own and a place in the legend
COMPONENTS = 50  # to which principal components bring long vectors first
ROWS_AT_ONCE = 1024
SEED = 0
COLOURS = {"tab10": 10, "tab20b": 20, "tab20c": 20}  # matplotlib's
DPI, LETTERS, WIDTH, HEIGHT = 120, 8.0, 8.5, 5.6


@dataclass(frozen=True)
class Doubt:
    """A clip none of whose nearest neighbours is of its class."""

    clip: int
    """Its place."""
    among: str
    """The class that most of them are of."""
    votes: int
    """How many of them are."""
    neighbours: tuple[int, ...]
    """Their places, the nearest first."""


@dataclass(frozen=True)
class CollectionMap:
    """What embeddings tell of a collection."""

    labels: tuple[str, ...]
    """The class of each clip."""
    doubts: tuple[Doubt, ...]
    """The most certain first."""
    agreement: float
    """Share of the clips most of whose nearest neighbours are of their class."""
    chance: float
    """What that would be, if neighbours were drawn: the share of the largest class."""
    shown: np.ndarray
    """Places of the clips that are drawn, the doubtful ones among them, (clips,)."""
    plane: np.ndarray
    """Where those lie, (clips, 2)."""

    @property
    def says_something(self) -> bool:
        """Whether neighbours share their class clearly more often than by chance: by more than two standard errors."""
        error = np.sqrt(self.chance * (1 - self.chance) / len(self.labels))
        return self.agreement > self.chance + max(2 * error, 0.05)


def map_collection(
    vectors: np.ndarray, labels: Sequence[str], groups: Sequence[str] | None = None
) -> CollectionMap | None:
    """Find the clips among those of another class, and lay all out in the plane.

    Near is what points into the same direction (cosine). A clip is doubtful where none of its five nearest neighbours
    is of its class, and most are of one other class; clips of its own group do not count, because pieces of one
    recording are near to one another whatever they are called. The plane is t-SNE's of principal components, with a
    fixed seed: near clips lie near, what lies far apart says little.

    Args:
        vectors: (clips, size).
        labels: the class of each clip.
        groups: the recording or speaker of each, "" where unknown.

    Returns:
        `None` where there is nothing to tell: fewer than two classes with two clips, or fewer than 20 clips.

    Source: van der Maaten and Hinton 2008, Visualizing Data using t-SNE.
    """
    counts = Counter(labels)
    if len(labels) < FEWEST or sum(count > 1 for count in counts.values()) < 2:
        return None
    units = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    names, classes = np.unique(np.asarray(labels), return_inverse=True)
    doubts, n_agreeing = [], 0
    for clip, neighbours in enumerate(_nearest(units, groups)):
        votes = np.bincount(classes[neighbours], minlength=len(names))
        own_votes, most = votes[classes[clip]], int(votes.argmax())
        n_agreeing += 2 * own_votes > len(neighbours)
        if not own_votes and 2 * votes[most] > len(neighbours):
            doubts.append(Doubt(clip, str(names[most]), int(votes[most]), tuple(neighbours.tolist())))
    similarities = [float((units[list(doubt.neighbours)] @ units[doubt.clip]).mean()) for doubt in doubts]
    order = sorted(range(len(doubts)), key=lambda place: (-doubts[place].votes, -similarities[place]))
    doubts = [doubts[place] for place in order]
    shown = _choose(len(labels), [doubt.clip for doubt in doubts])
    return CollectionMap(
        tuple(labels),
        tuple(doubts),
        n_agreeing / len(labels),
        max(counts.values()) / len(labels),
        shown,
        _lay_out(units[shown]),
    )


def _nearest(units: np.ndarray, groups: Sequence[str] | None) -> Iterator[np.ndarray]:
    """Places of each clip's nearest neighbours outside its group, the nearest first."""
    group_numbers = np.unique(np.asarray(groups), return_inverse=True)[1] if groups is not None else None
    named = np.array([bool(group) for group in groups]) if groups is not None else None
    for first in range(0, len(units), ROWS_AT_ONCE):
        similarities = units[first : first + ROWS_AT_ONCE] @ units.T
        rows = np.arange(len(similarities))
        similarities[rows, first + rows] = -np.inf
        if group_numbers is not None and named is not None:
            same_group = group_numbers[first : first + ROWS_AT_ONCE, None] == group_numbers
            similarities[same_group & named] = -np.inf
        n_neighbours = min(N_NEIGHBOURS, similarities.shape[1])
        places = np.argpartition(-similarities, n_neighbours - 1, axis=1)[:, :n_neighbours]
        for row, nearest in zip(similarities, places, strict=True):
            nearest = nearest[np.lexsort((nearest, -row[nearest]))]
            yield nearest[np.isfinite(row[nearest])]


def _choose(n_clips: int, doubtful: Sequence[int]) -> np.ndarray:
    """Places of clips to draw, in their order: all, or the first doubtful ones and others drawn by lot."""
    if n_clips <= MOST_DRAWN:
        return np.arange(n_clips)
    first = np.array(doubtful[: MOST_DRAWN // 4], dtype=int)
    others = np.setdiff1d(np.arange(n_clips), first)
    drawn = np.random.default_rng(SEED).choice(others, MOST_DRAWN - len(first), replace=False)
    return np.sort(np.concatenate([first, drawn]))


def _lay_out(units: np.ndarray) -> np.ndarray:
    """(clips, size) -> (clips, 2)."""
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    n_components = min(COMPONENTS, *units.shape)
    components = PCA(n_components, random_state=SEED).fit_transform(units.astype(np.float64))
    spread = components.std(0)[0] or 1.0
    perplexity = min(30.0, (len(units) - 1) / 3)
    start = components[:, :2] / spread * 1e-4
    return TSNE(perplexity=perplexity, init=start, random_state=SEED, max_iter=500).fit_transform(components)


def draw_map(found: CollectionMap, names: Sequence[str], axes: Axes, beside: Axes) -> None:
    """A dot a clip in the colour of its class; doubtful ones have a ring and a number, and are named beside.

    names: of the clips, in the order of the map's labels. beside: gets the list.
    """
    frequent = [name for name, _ in Counter(found.labels).most_common()]
    drawn_classes = frequent if len(frequent) <= MOST_CLASSES else frequent[: MOST_CLASSES - 1]
    labels = np.array(found.labels)[found.shown]
    lettering = letter(drawn_classes, 24)
    colours = [colormaps[name](place) for name, size in COLOURS.items() for place in range(size)]
    others = ~np.isin(labels, drawn_classes)
    if others.any():
        axes.scatter(
            found.plane[others, 0],
            found.plane[others, 1],
            s=9,
            color="0.8",
            label=f"{len(frequent) - len(drawn_classes)} other classes",
        )
    for name, shown, colour in zip(drawn_classes, lettering.names, colours, strict=False):
        rows = labels == name
        axes.scatter(found.plane[rows, 0], found.plane[rows, 1], s=9, color=colour, label=shown)
    place = {clip: row for row, clip in enumerate(found.shown.tolist())}
    for number, doubt in enumerate(found.doubts[:MOST_NAMED], start=1):
        point = found.plane[place[doubt.clip]]
        axes.scatter(point[0], point[1], s=50, facecolors="none", edgecolors="black", linewidths=0.9)
        axes.annotate(str(number), point, xytext=(4, 4), textcoords="offset points", fontsize=LETTERS)
    axes.set(xticks=[], yticks=[])
    n_columns = 4 if len(drawn_classes) <= 12 else 5
    legend = axes.legend(
        fontsize=LETTERS - 1.5,
        frameon=False,
        ncols=n_columns,
        loc="upper left",
        borderaxespad=0.2,
        bbox_to_anchor=(0.0, 0.0),
        handletextpad=0.1,
        columnspacing=0.8,
    )
    for text in legend.get_texts():
        text.set_parse_math(False)
        text.set_fontfamily(lettering.families)
    _name_doubts(found, names, beside)


def _name_doubts(found: CollectionMap, names: Sequence[str], axes: Axes) -> None:
    """The doubtful clips by their numbers, names, classes and the classes that they lie among."""
    axes.axis("off")
    named_doubts = found.doubts[:MOST_NAMED]
    classes = sorted({name for doubt in named_doubts for name in (found.labels[doubt.clip], doubt.among)})
    shown, files = letter(classes, 22), letter([names[doubt.clip] for doubt in named_doubts], 38)
    called = dict(zip(classes, shown.names, strict=True))
    n_doubts = len(found.doubts)
    lines = [f"{n_doubts or 'No'} {'clip lies' if n_doubts < 2 else 'clips lie'} among those of another class"]
    for number, (doubt, file) in enumerate(zip(named_doubts, files.names, strict=True), start=1):
        lines += [f"{number}  {file}", f"     {called[found.labels[doubt.clip]]}, among {called[doubt.among]}"]
    if n_doubts > len(named_doubts):
        lines.append(f"and {n_doubts - len(named_doubts)} more")
    families = list(dict.fromkeys([*files.families, *shown.families]))
    for row, line in enumerate(lines):
        height = 1.0 - row / (2 * MOST_NAMED + 2)
        axes.text(
            0.0,
            height,
            line,
            transform=axes.transAxes,
            va="top",
            fontsize=LETTERS - 1,
            fontfamily=families,
            parse_math=False,
        )


def write_map(found: CollectionMap, names: Sequence[str], file: str | os.PathLike | IO[bytes]) -> None:
    """The picture alone, as PNG; see `draw_map`."""
    figure = Figure(figsize=(WIDTH, HEIGHT), layout="constrained")
    draw_map(found, names, *figure.subplots(1, 2, width_ratios=[3, 2]))
    figure.savefig(file, dpi=DPI, format="png")

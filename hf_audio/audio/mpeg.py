"""MPEG audio, MP1 to MP3: its frames counted, for a file tells no more than an encoder chose to write into a tag.

Without a Xing, Info or VBRI tag (recorders in browsers, pipes, scanners, all of MP2), libsndfile estimates how long a
file is by its size and the bit rate of its first frame, and reads no further. Headers: ISO/IEC 11172-3 and 13818-3.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import IO, NamedTuple

from .chunks import begins_recording
from .parts import CutOffError, Part, joined, read_at

# Kilobits a second, by MPEG 1 or 2, layer, and the number in the header.
_BIT_RATES = {
    (1, 1): (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (1, 2): (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (1, 3): (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 1): (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_BIT_RATES[2, 3] = _BIT_RATES[2, 2]
_RATES = (44100, 48000, 32000)
# Bytes in which the next frame is looked for: behind a tag, where a stream was cut into, or where it is damaged.
RESYNC_BYTES = 1 << 12
# How often, before a file counts as broken; and what may lie behind the last frame.
MAX_RESYNCS, MUCH = 100, 1 << 16
MAX_TAGS = 100
# libsndfile's estimate is by the first frame, and none is larger.
LARGEST_FRAME = 2881
# Encoders that count wrongly do so by no more.
MISCOUNTED = 2
# What a header may look like; where the tag lies in a frame.
_HEADER = re.compile(rb"\xff[\xe2-\xe7\xf2-\xf7\xfa-\xff][\x10-\xef]", re.DOTALL)
TAG_REACH = 60


class Tag(NamedTuple):
    """What a first frame that holds no sound promises of those that follow."""

    frames: int
    """0: it does not say."""
    size: int
    """In bytes, with the tag's own frame or without it; 0: it does not say."""
    has_one_rate: bool
    """Whether all frames are as large as the first one, but for a byte."""


class Frame(NamedTuple):
    """What a header says."""

    size: int
    """In bytes, with the header."""
    samples: int
    kind: tuple[int, int, int]
    """Version, layer and samples a second, which stay the same within a recording."""


@lru_cache(maxsize=1 << 14)
def read_header(second: int, third: int) -> Frame | None:
    """A frame, by the second and third byte of its header; `None` if there is no such frame, or of a free format."""
    if second >> 5 != 7:
        return None
    version = {3: 1, 2: 2, 0: 3}.get(second >> 3 & 3)  # 3: MPEG 2.5
    layer = 4 - (second >> 1 & 3)
    if version is None or layer == 4 or third >> 4 in (0, 15) or third >> 2 & 3 == 3:
        return None
    rate = _RATES[third >> 2 & 3] // (1, 2, 4)[version - 1]
    bits = 1000 * _BIT_RATES[min(version, 2), layer][third >> 4]
    padding = third >> 1 & 1
    if layer == 1:
        return Frame(4 * (12 * bits // rate + padding), 384, (version, layer, rate))
    samples = 576 if layer == 3 and version > 1 else 1152
    return Frame(samples // 8 * bits // rate + padding, samples, (version, layer, rate))


def find_mpeg_part(file: IO[bytes], begin: int, end: int) -> tuple[Part | None, int]:
    """The recording whose frames begin at `begin`, `None` if there are none, and where another follows, or `end`.

    It ends where the frames have come that its tag promises, where a further tag begins, or where frames of another
    kind do. What lies between frames, such as titles, is left out.

    Raises:
        CutOffError: there are fewer than promised; or it begins with a frame and ends within one; or it is broken.
    """
    walk = FrameWalk(file, begin, end)
    first = next(walk, None)
    if first is None:
        return None, end
    position, frame, tag = first
    whole = _find_promised_end(file, position, frame, tag, end)
    if whole is not None:
        return Part((range(position, whole),)), end
    promised = None if tag is None else tag.frames
    start = position if promised is None else position + frame.size
    spans, n_frames, stop = [], int(promised is None), end
    last = position + frame.size  # where the frame before ends
    surplus = None
    for at, following, further in walk:
        if following.kind != frame.kind or further is not None:
            stop = at
            break
        if at != last:
            spans.append(range(start, last))
            start = at
        if promised and n_frames == promised:
            surplus = len(spans), range(start, at), at
        n_frames += 1
        last = at + following.size
    else:
        stop = walk.stop
    spans.append(range(start, last))
    if surplus is not None and n_frames > (promised or 0) + MISCOUNTED:  # another recording, without a tag
        spans[surplus[0] :] = [surplus[1]]
        stop = surplus[2]
    elif walk.is_broken or (stop == end and not walk.is_whole and (position == begin or promised)):
        raise CutOffError
    if not promised:
        return Part(tuple(spans), n_frames * frame.samples, (n_frames + 2) * LARGEST_FRAME), stop
    if n_frames < promised:
        raise CutOffError
    return Part(joined([range(position, position + frame.size), *spans])), stop


def _find_promised_end(file: IO[bytes], position: int, frame: Frame, tag: Tag | None, end: int) -> int | None:
    """Where the sound ends, where a tag's count of bytes and the file say the same; then no frame is looked at."""
    if tag is None or not tag.frames or not tag.size:
        return None
    if tag.has_one_rate and abs(tag.size / (tag.frames + 1) - frame.size) > 1:
        return None
    for stop in (position + tag.size, position + frame.size + tag.size):
        if stop <= end and skip_tags(file, stop, end) == end:
            return stop
    return None


class FrameWalk(Iterator[tuple[int, Frame, Tag | None]]):
    """The frames of a file, whatever lies between them: where each begins, and its tag, if it holds no sound.

    Args:
        file: that is read.
        begin: where the first frame is looked for.
        end: of the file.
    """

    def __init__(self, file: IO[bytes], begin: int, end: int):
        self.is_whole = True
        """Whether the last frame is there to its end."""
        self.stop = end
        """Where another recording begins behind the last frame, or the end."""
        self.is_broken = False
        """Whether what follows the last frame may be sound that cannot be reached."""
        self._file, self._position, self._end = file, begin, end
        self._kind: tuple[int, int, int] | None = None
        self._resyncs = 0

    def __next__(self) -> tuple[int, Frame, Tag | None]:
        """The next frame."""
        head = read_at(self._file, self._position, TAG_REACH)
        frame = read_header(head[1], head[2]) if len(head) > 2 and head[0] == 0xFF else None
        if frame is None or frame.kind != self._kind or self._position + frame.size > self._end:
            if frame is not None and frame.kind == self._kind:
                self.is_whole = False
                raise StopIteration
            frame = self._look_for_frame()
            head = read_at(self._file, self._position, TAG_REACH)
        position = self._position
        self._position += frame.size
        return position, frame, _read_tag(head, frame)

    def _look_for_frame(self) -> Frame:
        """Go to the next frame that another one of its kind follows, or the end."""
        self._resyncs += 1
        self._position = skip_tags(self._file, self._position, self._end)
        left = max(self._end - self._position, 0)
        content = read_at(self._file, self._position, min(RESYNC_BYTES, left))
        for match in _HEADER.finditer(content):
            frame = read_header(content[match.start() + 1], content[match.start() + 2])
            if frame is None or self._resyncs > MAX_RESYNCS:
                continue
            following = self._position + match.start() + frame.size
            head = read_at(self._file, following, 3)
            after = read_header(head[1], head[2]) if len(head) == 3 and head[0] == 0xFF else None
            if following == self._end or (after is not None and after.kind == frame.kind):
                self._position += match.start()
                self._kind = frame.kind
                return frame
        if begins_recording(self._file, self._position):
            self.stop = self._position
            raise StopIteration
        self.is_broken = left > MUCH and any(read_at(self._file, self._position, MUCH))
        raise StopIteration


def skip_tags(file: IO[bytes], position: int, end: int) -> int:
    """The first place from a position on where no title, picture or the like begins."""
    for _ in range(MAX_TAGS):
        head = read_at(file, position, 16)
        if head[:3] == b"ID3" and len(head) >= 10:
            size = 10 + sum((byte & 127) << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=True))
        elif head[:3] == b"TAG":
            size = 128
        elif head[:8] == b"APETAGEX":
            size = 32 + int.from_bytes(head[12:16], "little")
        else:
            break
        position += size
    return min(position, end)


def _read_tag(head: bytes, frame: Frame) -> Tag | None:
    if frame.kind[1] != 3 or len(head) < TAG_REACH:
        return None
    is_mono = head[3] >> 6 == 3
    place = 4 + ((17 if is_mono else 32) if frame.kind[0] == 1 else (9 if is_mono else 17))
    name = head[place : place + 4]
    if name in (b"Xing", b"Info"):
        flags, place, numbers = head[place + 7], place + 8, [0, 0]
        for number in range(2):  # those that are not told take no room
            if flags >> number & 1:
                numbers[number] = int.from_bytes(head[place : place + 4], "big")
                place += 4
        return Tag(numbers[0], numbers[1], has_one_rate=name == b"Info")
    if head[36:40] == b"VBRI":
        return Tag(int.from_bytes(head[50:54], "big"), int.from_bytes(head[46:50], "big"), has_one_rate=False)
    return None

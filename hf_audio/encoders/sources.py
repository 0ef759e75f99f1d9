"""Where each encoder comes from: package, licence, makers, and what it was trained on, as far as is known."""

import os
from dataclasses import dataclass

from .wheels import Wheel


@dataclass(frozen=True)
class Source:
    """What must be told of an encoder to whoever uses it."""

    wheel: Wheel
    title: str
    """What it is, in a few words."""
    licence: str
    """Of the weights, as SPDX names it."""
    attribution: str
    """Who made it, with the title of the work and where it is described."""
    trained_on: str
    overlap: str
    """What is known of test sets among what it was trained on."""
    hears: str
    """Its input, and what becomes of short clips."""

    def announcement(self, name: str, wheel: str | os.PathLike | None = None) -> str:
        """What is fetched, or taken out of the file `wheel`, and under which licence, in a sentence."""
        action = f"Fetching {self.wheel} for {name}" if wheel is None else f"Taking {name} out of {wheel}"
        return f"{action}, {self.title}; its weights are under {self.licence} ({self.attribution})."


SOURCES: dict[str, Source] = {
    "ge2e": Source(
        wheel=Wheel(
            "Resemblyzer",
            "0.1.4",
            {"py3-none-any": "8f12eb2f1a9982d32e8db7856de754709b59c93a77bcf0ff536584b619a9dd1f"},
        ),
        title="a speaker encoder",
        licence="Apache-2.0",
        attribution="Resemblyzer by Resemble AI and Corentin Jemine, https://github.com/resemble-ai/Resemblyzer, "
        "after Wan et al. 2018, https://arxiv.org/abs/1710.10467",
        trained_on="Speech of several thousand people, to tell who speaks. The package says that its network is "
        "interchangeable with those of the project Real-Time-Voice-Cloning, whose encoder was trained on LibriSpeech "
        "(train-other-500), VoxCeleb1 and VoxCeleb2: English read speech and interviews with celebrities.",
        overlap="Whoever tests on LibriSpeech, on VoxCeleb, or on clips cut from them may test on voices, and on "
        "clips, that this encoder has heard; without the labels of a task such as gender, but a figure there is not "
        "one of unheard voices. Other corpora are not known to be among them.",
        hears="Speech at 16 kHz in windows of 1.6 s, one every 0.77 s; a clip shorter than that is followed by "
        "silence, as in the original. Quiet clips are raised to -30 dBFS. The original also cuts away silences, by a "
        "voice activity detector: leave that to a recipe that keeps speech alone.",
    ),
    "speech": Source(
        wheel=Wheel(
            "pyopen-wakeword",
            "1.1.0",
            {
                "py3-none-manylinux_2_35_x86_64": "754347a59de2b3d378a0cbc404a8b41164036e74fa1c185f88056974e4bfb6b4",
                "py3-none-manylinux_2_35_aarch64": "32a865123ebcc270ce6408b675456c3aecd8a6f0ddfe6311680616c9c01f990a",
                "py3-none-win_amd64": "93c4ba03b434fb4130282a254000e58e29cf3dc49b610ce7e998abc785a27a90",
            },
            platform="manylinux_2_35_x86_64",
        ),
        title="an encoder of short speech",
        licence="Apache-2.0",
        attribution="the speech embedding by Google, Lin et al. 2020, https://arxiv.org/abs/2002.01322, as "
        "openWakeWord and pyopen-wakeword by Michael Hansen carry it, https://github.com/rhasspy/pyopen-wakeword",
        trained_on="By its paper, 200 million clips of two seconds from videos of YouTube, to tell 5000 keywords of "
        "English in groups.",
        overlap="What is in those videos is not published. Test sets that were not cut from YouTube are not known to "
        "be among them.",
        hears="Speech at 16 kHz in windows of 0.78 s, one every 0.08 s; a shorter clip is heard in "
        "the middle of 1.5 s of silence.",
    ),
    "sfx": Source(
        wheel=Wheel(
            "aisfx",
            "0.1.2",
            {"py2.py3-none-any": "bfe219950715af179e9a1653e7117cc1852baef267cd6596c42cad74afe1d194"},
        ),
        title="an encoder of sound effects",
        licence="CC-BY-4.0",
        attribution="aiSFX by Alison Bernice Ma and Alexander Lerch, Representation Learning for the Automatic "
        "Indexing of Sound Effects Libraries, ISMIR 2022, https://github.com/alisonbma/aisfx; unchanged weights in "
        "another file format, without the heads of the original; https://creativecommons.org/licenses/by/4.0/",
        trained_on="Nine libraries of sound effects that are sold, by the names in its file: Pro Sound Effects, "
        "Soundly, UCS Mixed, Soundstorm, Production Elements, Cartoon Express, HPX Digital, Series 6000 and Series "
        "9000.",
        overlap="The libraries' files are not published. Soundly and UCS Mixed hold sounds of many makers; whether "
        "some of them also lie on Freesound, from which ESC-50 and FSDKaggle2018 were taken, is not known. So a "
        "figure on those sets with this encoder is one with external knowledge, and stands in a column of its own.",
        hears="Sounds at 44.1 kHz in blocks of 2.3 s, one every 1.2 s, the last one left out where it is not full; a "
        "shorter clip is followed by silence.",
    ),
}

"""Files of ELAN, which are not read: how their annotations can be."""

from pathlib import Path

SUFFIX = ".eaf"


def is_of_elan(path: Path) -> bool:
    """Whether a file is, by its name, one of ELAN, which is not read."""
    return path.suffix.lower() == SUFFIX


def explain_elan(path: Path) -> str:
    """How the annotations of such a file can be read."""
    return (
        f"{path} is a file of ELAN, which is not read: export it in ELAN as a Praat TextGrid, and call that as the "
        f"recording, such as {path.stem}.TextGrid."
    )

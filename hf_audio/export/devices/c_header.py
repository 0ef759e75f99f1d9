"""An exported file as a C header: its bytes, and what a device must know to use it."""

import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from .static import StaticParts

VALUES_A_LINE = 12


def write_header(parts: StaticParts, path: Path, *, with_frontend: bool) -> Path:
    """Write a file that was exported as a C header beside it -> the header.

    Without its front-end, the constants of that are in it too: the window, and of each mel filter where it begins, how
    many bins it has, and its weights, one filter after the other.
    """
    name = re.sub(r"\W", "_", path.stem, flags=re.ASCII)
    name = f"_{name}" if name[:1].isdigit() else name
    upper, data, facts = name.upper(), path.read_bytes(), parts.facts
    lines = [
        f"// {path.name} as bytes, written by hf-audio export.",
        f"#ifndef {upper}_H",
        f"#define {upper}_H",
        "#include <stdint.h>",
        f"#define {upper}_SAMPLING_RATE {facts.sampling_rate}",
        f"#define {upper}_WINDOW_SAMPLES {parts.n_samples}",
        f"#define {upper}_N_LABELS {len(facts.labels)}",
        f"#define {upper}_PROBABILITIES_BY_{facts.function.upper()} 1",
        f"static const char *const {name}_labels[] = {{{', '.join(map(_quote, facts.labels))}}};",
    ]
    if not with_frontend:
        lines += _frontend_lines(name, parts)
    lines += [
        f"#define {upper}_MODEL_BYTES {len(data)}",
        f"static const uint8_t {name}_model[] __attribute__((aligned(16))) = {{",
        *_wrap(str(each) for each in data),
        "};",
        "#endif",
    ]
    header = path.with_suffix(".h")
    header.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return header


def _frontend_lines(name: str, parts: StaticParts) -> list[str]:
    constants, upper = parts.constants, name.upper()
    filters = constants["mel_filters"]
    spans = [np.flatnonzero(row) for row in filters]
    first = [int(each[0]) if len(each) else 0 for each in spans]
    counts = [int(each[-1]) + 1 - start if len(each) else 0 for each, start in zip(spans, first, strict=True)]
    weights = [row[start : start + count] for row, start, count in zip(filters, first, counts, strict=True)]
    n_features, n_frames = parts.features().shape[1:]
    whole = {
        "N_FFT": len(constants["window"]),
        "HOP": int(constants["hop"]),
        "N_MELS": len(filters),
        "N_FEATURES": n_features,
        "N_FRAMES": n_frames,
        "N_COEFFICIENTS": len(constants["dct"]),
        "CENTER_FEATURES": int(constants["center_features"]),
        "REMOVE_LEVEL": int(constants["remove_level"]),
    }
    lines = [f"#define {upper}_{key} {value}" for key, value in whole.items()]
    lines += [f"#define {upper}_{key.upper()} {_float(float(constants[key]))}" for key in ("power", "amin")]
    if np.isfinite(constants["top_db"]):
        lines.append(f"#define {upper}_TOP_DB {_float(float(constants['top_db']))}")
    arrays = {"window": constants["window"], "mel_weights": np.concatenate(weights)}
    arrays |= {"mean": constants["mean"], "deviation": constants["deviation"]}
    if len(constants["dct"]):
        arrays["dct"] = constants["dct"].ravel()
    for key, values in {"mel_first": first, "mel_count": counts}.items():
        lines += [f"static const uint16_t {name}_{key}[] = {{", *_wrap(map(str, values)), "};"]
    for key, array in arrays.items():
        lines += [f"static const float {name}_{key}[] = {{", *_wrap(_float(float(each)) for each in array), "};"]
    return lines


def _float(value: float) -> str:
    """A number as a constant of single precision in C, exactly."""
    digits = f"{np.float32(value):.9g}"
    return f"{digits}f" if re.search(r"[.e]", digits) else f"{digits}.0f"


def _quote(label: str) -> str:
    """A label as a string of C in UTF-8; other bytes in octal, of which C reads three digits at most."""
    plain = (chr(each) if 32 <= each < 127 and chr(each) not in '"\\?' else f"\\{each:03o}" for each in label.encode())
    return f'"{"".join(plain)}"'


def _wrap(values: Iterable[str]) -> list[str]:
    values = list(values)
    return [", ".join(values[at : at + VALUES_A_LINE]) + "," for at in range(0, len(values), VALUES_A_LINE)]

"""Every command of `hf-audio` as a function with the same name and arguments; `hf_audio` hands on what is listed here.

The command line is made of their signatures and docstrings. What they need is loaded when they are called.
"""

from .bulk import predict, pseudo_label
from .embeddings import embed, similar, suggest
from .events import detect, fit_events
from .judging import evaluate
from .recordings import inspect, make_numbers, make_soundscapes
from .serving import serve, stream
from .shipping import export as export
from .shipping import page, push, verify
from .training import audit_labels, ensemble, train
from .training import encoder as encoder

# Without `export`, which in `hf_audio` is a package, and `encoder`, beside its package `encoders`.
__all__ = [
    "audit_labels",
    "detect",
    "embed",
    "ensemble",
    "evaluate",
    "fit_events",
    "inspect",
    "make_numbers",
    "make_soundscapes",
    "page",
    "predict",
    "pseudo_label",
    "push",
    "serve",
    "similar",
    "stream",
    "suggest",
    "train",
    "verify",
]

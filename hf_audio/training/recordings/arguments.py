"""The flags of a training on own recordings: where they lie, what belongs together, what is chosen by them."""

from dataclasses import dataclass, field

from ...arguments import Group
from ...data.annotations.finding import UNANNOTATED
from ...data.tables.columns import Columns
from ...division.recording_groups import GROUP_BY
from ...errors import ArgumentError
from ...remote.addresses import public_name
from ...remote.paths import as_path
from ..general_sounds.presets import GeneralSoundsArguments

# What is chosen by the recordings, where the user has not given it.
CHOSEN = (
    "sampling_rate",
    "clip_seconds",
    "excerpt_seconds",
    "per_device_train_batch_size",
    "per_device_eval_batch_size",
    "num_train_epochs",
)


@dataclass
class RecordingsArguments(GeneralSoundsArguments):
    """The flags of own recordings; what is `None` is chosen by them, or guessed by the names of columns."""

    data_dir: str | None = field(
        default=None,
        metadata={"help": "Folder of class folders, or a CSV or TSV. Without it, a demo corpus is made on the spot."},
    )
    dataset_name: str | None = field(
        default=None,
        metadata={"help": "Instead of --data_dir, a data set of the Hub, or a folder of one's Parquet files."},
    )
    dataset_config: str | None = field(default=None, metadata={"help": "Which one, where a data set has several."})
    audio_column: str | None = field(default=None, metadata={"help": "Column of a data set that holds recordings."})
    streaming: bool = field(
        default=False,
        metadata={
            "help": "Read Parquet files or tars row by row, never all at once. They are those of --data_dir or "
            "--dataset_name."
        },
    )
    multi_label: bool = field(default=False, metadata={"help": "A recording may have several tags, or none."})
    path_column: str | None = field(default=None, metadata={"help": "Column of a table that names the files."})
    audio_dir: str | None = field(default=None, metadata={"help": "Where the files of a table are, if not beside it."})
    label_column: list[str] | None = field(
        default=None,
        metadata={"help": "Column of the labels. With --multi_label also several, of 0 and 1, named as their tags."},
    )
    group_column: str | None = field(
        default=None,
        metadata={"help": "Column whose clips stay on one side of a split: recording, speaker, patient."},
    )
    group_pattern: str | None = field(
        default=None,
        metadata={
            "help": "Regular expression that finds the recording or the speaker in a file's name. Clips of one "
            "stay on one side. Its first group counts, or all that it matches.",
            "metavar": "REGEX",
        },
    )
    group_by: str | None = field(
        default=None,
        metadata={
            "help": "What says which clips stay together: the folder below the class, or the name. By default, "
            "where no column says so, names, where every class then has several recordings; `none`: nothing.",
            "choices": list(GROUP_BY),
        },
    )
    split_column: str | None = field(
        default=None, metadata={"help": "Column that says train, validation or test of every recording."}
    )
    folds: str | None = field(
        default=None,
        metadata={
            "help": "Hold out each fold once, by a column `fold` or the folders of a known data set.",
            "choices": ["all"],
        },
    )
    only_normal: bool = field(
        default=False,
        metadata={
            "help": "Learn from normal recordings alone, what is unlike them being an anomaly. Anomalies are tested "
            "on, where there are some."
        },
    )
    unannotated: str | None = field(
        default=None,
        metadata={
            "help": "What lies between annotations with times: `background`, or `ignore` it. By default background, "
            "but where that is doubtful.",
            "metavar": "WHAT",
            "choices": list(UNANNOTATED),
        },
    )
    sampling_rate: int | None = field(
        default=None, metadata={"help": "Samples per second that the network hears. Chosen by the recordings."}
    )
    f_min: float | None = field(
        default=None, metadata={"help": "Lowest frequency that the network hears, in Hz. 20 by default."}
    )
    f_max: float | None = field(
        default=None, metadata={"help": "Highest frequency, in Hz. Half of --sampling_rate by default."}
    )
    clip_seconds: float | None = field(
        default=None, metadata={"help": "Longer recordings are judged in windows of this. Chosen by the recordings."}
    )
    excerpt_seconds: float | None = field(
        default=None, metadata={"help": "Length of the random excerpts trained on. Chosen by the recordings."}
    )
    per_device_train_batch_size: int | None = field(  # type: ignore[assignment]
        default=None, metadata={"help": "Training clips a device and step. Chosen by their number."}
    )
    per_device_eval_batch_size: int | None = field(  # type: ignore[assignment]
        default=None, metadata={"help": "Test clips a device and step. Chosen by the longest recording."}
    )
    num_train_epochs: float | None = field(  # type: ignore[assignment]
        default=None, metadata={"help": "Epochs. Chosen by the number of training clips, as the most there may be."}
    )
    stop_when_settled: bool | None = field(
        default=None,
        metadata={
            "help": "End before the last epoch where nothing more is gained. By default, where neither "
            "--num_train_epochs nor --max_steps is given.",
            "metavar": "BOOL",
        },
    )

    refit: bool | None = field(  # type: ignore[assignment]
        default=None,
        metadata={
            "help": "Leave a network that is trained on all clips, the test clips too. It is judged by others, from "
            "which a fifth of the recordings is held out in turn, in six times the time; by default, where few "
            "recordings could be tested on and no --max_minutes is given. With --validation_fraction, the test clips "
            "stay held out.",
            "group": Group.VALIDATION,
            "metavar": "BOOL",
        },
    )

    def __post_init__(self) -> None:
        for name in CHOSEN:
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise ArgumentError(f"--{name} {value} must be above 0.")
        if self.dataset_name is not None and self.data_dir is not None:
            raise ArgumentError("--data_dir and --dataset_name exclude each other: give one of them.")
        if self.multi_label and self.pseudo_labels is not None:
            raise ArgumentError("--pseudo_labels knows one label a clip: leave it or --multi_label out.")
        if self.data_dir is not None and public_name(self.data_dir) != self.data_dir:
            raise ArgumentError(
                "--data_dir holds credentials, and cards tell where data lie: give them as the store's own tools take "
                "them, as in the environment."
            )
        if self.streaming and self.data_dir is not None and not as_path(self.data_dir).is_dir():
            raise ArgumentError(f"--data_dir {self.data_dir} is not a folder: give the one that holds the shards.")
        if self.dataset_name is not None and self.pseudo_labels is not None:
            raise ArgumentError(
                "--pseudo_labels names files, which --dataset_name has none of: leave one of them out."
            )
        if self.streaming and self.data_dir is None and self.dataset_name is None:
            raise ArgumentError("--streaming reads shards: say where they are, with --data_dir or --dataset_name.")
        grouping = [name for name in ("group_column", "group_pattern", "group_by") if getattr(self, name) is not None]
        if len(grouping) > 1:
            raise ArgumentError(f"--{grouping[0]} and --{grouping[1]} exclude each other: give one of them.")
        if self.group_by not in (None, *GROUP_BY):
            raise ArgumentError(f"--group_by {self.group_by} must be one of {', '.join(GROUP_BY)}.")
        if self.streaming and (self.group_pattern is not None or self.group_by is not None):
            raise ArgumentError("--streaming goes by --group_column alone: leave --group_pattern and --group_by out.")
        if self.streaming and self.multi_label:
            raise ArgumentError("--streaming knows one label a clip: leave --multi_label out, or read all at once.")
        if self.unannotated is not None and (self.data_dir is None or self.streaming):
            raise ArgumentError("--unannotated is of annotated recordings: say where they are, with --data_dir alone.")
        if self.unannotated not in (None, *UNANNOTATED):
            raise ArgumentError(f"--unannotated {self.unannotated} must be one of {', '.join(UNANNOTATED)}.")
        if self.folds not in (None, "all"):
            raise ArgumentError(f"--folds {self.folds} must be `all`.")
        if self.only_normal:
            self._check_only_normal()
        if self.folds and (self.streaming or self.refit):
            raise ArgumentError("--folds all does not go with --streaming or --refit: leave one of them out.")
        if self.stop_when_settled is None:
            given = self.num_train_epochs is not None or self.max_steps > 0 or self.lr_scheduler_type != "cosine"
            chooses = self.search or self.refit or self.load_best_model_at_end or self.early_stopping_patience
            self.stop_when_settled = not given and not chooses
        super().__post_init__()

    def _check_only_normal(self) -> None:
        """Refuse what asks for several classes, and settle what follows."""
        against = {
            "--dataset_name": self.dataset_name is not None,
            "--streaming": self.streaming,
            "--multi_label": self.multi_label,
            "--folds": self.folds is not None,
            "--refit": bool(self.refit),
            "--background": self.background is not None,
            "--pseudo_labels": self.pseudo_labels is not None,
            "--baseline": self.baseline,
            "--validation_fraction": self.validation_fraction > 0,
            "--balance": self.balance != "none",
            "--unannotated": self.unannotated is not None,
        }
        for flag, given in against.items():
            if given:
                raise ArgumentError(f"--only_normal knows one class, in a folder or a table: leave it or {flag} out.")
        if self.data_dir is None:
            raise ArgumentError("--only_normal needs normal recordings: say where they are, with --data_dir.")
        self.refit = False
        if self.model_name_or_path is not None:
            self.freeze = "encoder"

    @property
    def data_may_validate(self) -> bool:
        """Whether the recordings may come with a validation part; then its share need not be given."""
        return self.data_dir is not None or self.dataset_name is not None

    @property
    def columns(self) -> Columns:
        """Which columns of a table hold what, as far as the user has said so."""
        return Columns(self.path_column, tuple(self.label_column or ()), self.group_column, self.split_column)

"""Which clips an audit looks at, and which of their labels may be wrong."""

import numpy as np
import pytest
from helpers.recordings import write_tones

import hf_audio
from hf_audio.data.rows import UNVERIFIED_COLUMN
from hf_audio.errors import DataError
from hf_audio.training.series import label_audit
from hf_audio.training.series.audited_clips import load_audited_clips


def test_labels_of_any_folder_or_table_may_be_wrong_but_those_that_it_says_are_verified(tone_folder, tmp_path):
    dataset = load_audited_clips(tone_folder)
    assert len(dataset) == 36 and all(dataset[UNVERIFIED_COLUMN])
    rows = [f"tones/low/{n}.wav,low,{'Yes' if n else 'no'},{int(n % 2 == 0)}" for n in range(6)]
    rows += [f"tones/mid/{n}.wav,mid,no,1" for n in range(6)]
    table = tmp_path / "table.csv"
    table.write_text("\n".join(["file,name,quiet,Manually verified", *rows]))
    dataset = load_audited_clips(table, hf_audio.data.tables.columns.Columns(labels=("name",)))
    assert sum(dataset[UNVERIFIED_COLUMN]) == 3
    table.write_text("\n".join(["file,label,other,verified", *rows]).replace(",1\n", ",maybe\n"))
    with pytest.raises(DataError, match="'maybe' in its column 'verified'"):
        load_audited_clips(table)


def test_audit_labels_takes_a_folder_of_class_folders(tmp_path, monkeypatch):
    def audit(args, dataset, rounds, encoder):
        (tmp_path / ".wrong.csv.audit").mkdir()
        labels = np.array(dataset["label"])
        n_clips, suggested = len(labels), (labels + (np.arange(len(labels)) == 5)) % 3
        names, believed = ["high", "low", "mid"], np.eye(3)[suggested]
        unverified = np.array(dataset[UNVERIFIED_COLUMN])
        return label_audit.Audit(
            dataset["path"], labels, suggested, np.full(n_clips, 0.9), believed, unverified, names, 1.0
        )

    monkeypatch.setattr(label_audit, "audit_labels", audit)
    write_tones(tmp_path / "tones")
    hf_audio.audit_labels(data_dir=tmp_path / "tones", output=tmp_path / "wrong.csv")
    first = (tmp_path / "wrong.csv").read_text().splitlines()[1]
    assert first == "high/3.wav,high,low,0.9000"  # names that several files have are told with their folders


def test_annotations_with_times_are_no_clips(tone_folder, tmp_path):
    (tone_folder / "low" / "0.wav").rename(tmp_path / "low.wav")
    (tmp_path / "a.csv").write_text("file,start,end,label\nlow.wav,0.1,0.2,low\n")
    with pytest.raises(DataError, match=r"a.csv holds annotations with times, .*give class folders"):
        load_audited_clips(tmp_path / "a.csv")

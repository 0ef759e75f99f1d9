"""`hf-audio similar`: the nearest windows of an archive, and what cannot be searched."""

import os
from itertools import pairwise
from pathlib import Path

import fsspec
import numpy as np
import pytest
import soundfile
from helpers.checkpoints import save_checkpoint
from helpers.recordings import RATE, tone
from sklearn.neighbors import NearestNeighbors

import hf_audio
from hf_audio import cli
from hf_audio.bulk.archive.similar import compare, find_similar
from hf_audio.bulk.vectors.vector_files import read_vectors
from hf_audio.errors import ArgumentError, CheckpointError, DataError


@pytest.fixture
def archive(tmp_path) -> Path:
    """Low, middle and high tones, a long recording that turns from low to high, and an example beside them."""
    folder = tmp_path / "archive"
    folder.mkdir()
    for name, hertz in (("low", 250), ("mid", 1000), ("high", 3000)):
        for number in range(3):
            soundfile.write(folder / f"{name}{number}.wav", tone(hertz + 7 * number, 1.0, seed=number), RATE)
    turning = np.concatenate([tone(250, 2.0, seed=8), tone(3010, 1.0, seed=9)])
    soundfile.write(folder / "turning.wav", turning, RATE)
    soundfile.write(tmp_path / "example.wav", tone(3005, 1.0, seed=5), RATE)
    return folder


def test_the_nearest_sounds_come_first(checkpoint, archive, tmp_path, capsys):
    example = tmp_path / "example.wav"
    search = find_similar(str(checkpoint), [str(example)], archive, count=4, keep=tmp_path / "kept.npz")
    nearest = {(Path(found.file).name, found.start) for found in search.neighbours}
    assert nearest == {("high0.wav", 0.0), ("high1.wav", 0.0), ("high2.wav", 0.0), ("turning.wav", 2.0)}
    similarities = [found.similarity for found in search.neighbours]
    assert similarities == sorted(similarities, reverse=True) and similarities[0] > 0.99
    assert search.n_windows == 12
    again = hf_audio.similar(checkpoint, [example], in_=tmp_path / "kept.npz", count=4)
    assert [found.similarity for found in again] == similarities

    cli.main(["similar", str(checkpoint), str(example), "--in", str(tmp_path / "kept.npz"), "--count", "4"])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 5 and f"{similarities[0]:.4f}" in lines[1] and search.neighbours[0].file in lines[1]


def test_the_examples_themselves_and_windows_that_overlap_are_no_finds(checkpoint, archive, tmp_path):
    hf_audio.embed(checkpoint, [archive], output=tmp_path / "x.parquet", windows=True, hop_seconds=0.25, num_workers=0)
    low, high = archive / "low0.wav", archive / "high0.wav"
    search = find_similar(str(checkpoint), [str(low), str(high)], tmp_path / "x.parquet", count=100)
    files = [Path(found.file).name for found in search.neighbours]
    assert "low0.wav" not in files and "high0.wav" not in files
    spans = sorted((found.start, found.end) for found in search.neighbours if found.file.endswith("turning.wav"))
    assert all(end <= start for (_, end), (start, _) in pairwise(spans))
    told = {Path(found.file).name: Path(found.example).name for found in search.neighbours}
    assert told["low1.wav"] == "low0.wav" and told["high1.wav"] == "high0.wav"


def test_cosines_are_those_of_scikit_learn():
    generator = np.random.default_rng(0)
    vectors, queries = generator.normal(size=(500, 8)).astype(np.float32), generator.normal(size=(3, 8))
    vectors[7] = 0
    similarities, nearest = compare(vectors, queries.astype(np.float32))
    distances, places = NearestNeighbors(n_neighbors=1, metric="cosine").fit(queries).kneighbors(vectors)
    np.testing.assert_allclose(1 - similarities, distances[:, 0], atol=1e-5)
    known = np.arange(500) != 7
    np.testing.assert_array_equal(nearest[known], places[known, 0])
    assert similarities[7] == 0


def test_an_archive_that_is_no_longer_what_was_embedded_is_not_searched(checkpoint, archive, tmp_path):
    example, kept = str(tmp_path / "example.wav"), tmp_path / "kept.parquet"
    hf_audio.embed(checkpoint, [archive], output=kept, num_workers=0)
    about = (archive / "low0.wav").stat()
    os.utime(archive / "low0.wav", ns=(about.st_atime_ns, about.st_mtime_ns + 10**9))
    with pytest.raises(DataError, match=r"low0\.wav has changed since .*kept\.parquet was written: embed the archive"):
        find_similar(str(checkpoint), [example], kept)
    os.utime(archive / "low0.wav", ns=(about.st_atime_ns, about.st_mtime_ns))
    find_similar(str(checkpoint), [example], kept)
    (archive / "low0.wav").rename(archive / "other.wav")
    (archive / "low1.wav").unlink()
    with pytest.raises(DataError, match=r"low0\.wav \(and 1 more\) is gone since"):
        find_similar(str(checkpoint), [example], kept)


def test_what_was_put_into_an_archive_since_it_was_embedded_is_told(checkpoint, archive, tmp_path, caplog):
    example, kept = str(tmp_path / "example.wav"), tmp_path / "kept.npz"
    (archive / "broken.wav").write_bytes(b"no sound")
    hf_audio.embed(checkpoint, [archive, archive / "low0.wav"], output=kept, num_workers=0)
    find_similar(str(checkpoint), [example], kept)
    assert "put into the archive" not in caplog.text
    (archive / "new").mkdir()
    for name in ("other.wav", "new/low.wav"):
        (archive / name).write_bytes((archive / "low0.wav").read_bytes())
    find_similar(str(checkpoint), [example], kept)
    (told,) = [record.getMessage() for record in caplog.records if "put into the archive" in record.getMessage()]
    assert told.startswith(f"2 files were put into the archive since {kept} was written") and "other.wav" in told


def test_an_archive_in_a_store_is_searched_by_the_embeddings_in_it(checkpoint, archive, tmp_path, caplog):
    system = fsspec.filesystem("memory")
    system.pipe({f"/b/{file.name}": file.read_bytes() for file in archive.iterdir()})
    try:
        hf_audio.embed(checkpoint, ["memory://b"], output="memory://b/out", num_workers=0)
        system.pipe("/b/new.wav", b"no sound")
        found = hf_audio.similar(checkpoint, [tmp_path / "example.wav"], in_="memory://b/out", count=1)
        assert found[0].file.startswith("memory://b/high")
        assert "1 file was put into the archive since memory://b/out was written" in caplog.text
    finally:
        system.store.clear()


def test_what_cannot_be_searched_is_told_in_a_sentence(checkpoint, archive, tmp_path):
    example, other = str(tmp_path / "example.wav"), save_checkpoint(tmp_path / "other", hidden_sizes=[8, 10])
    hf_audio.embed(other, [archive], output=tmp_path / "other.npz", num_workers=0)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"other\.npz holds embeddings of another checkpoint than .*: give the one"):
        find_similar(str(checkpoint), [example], tmp_path / "other.npz")
    with pytest.raises(DataError, match="holds no audio files"):
        find_similar(str(checkpoint), [example], tmp_path / "empty")
    with pytest.raises(DataError, match="holds no audio files"):
        find_similar(str(checkpoint), [str(tmp_path / "empty")], archive)
    with pytest.raises(DataError, match=r"^\S+example\.wav holds nothing but the examples"):
        find_similar(str(checkpoint), [example], example)
    with pytest.raises(ArgumentError, match="--count 0 must be 1 or more"):
        find_similar(str(checkpoint), [example], archive, 0)
    with pytest.raises(ArgumentError, match=r"--keep kept\.csv must end in"):
        find_similar(str(checkpoint), [example], archive, keep="kept.csv")
    with pytest.raises(ArgumentError, match="the embeddings are kept already"):
        find_similar(str(other), [example], tmp_path / "other.npz", keep=tmp_path / "kept.npz")
    with pytest.raises(CheckpointError, match="holds no config"):
        find_similar(str(tmp_path / "empty"), [example], archive)
    assert read_vectors(tmp_path / "other.npz").vectors.shape == (10, 10)

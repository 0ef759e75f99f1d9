"""Which clips a finished folder says that its network has heard."""

import json

from hf_audio.runs.heard import count_beside_heard, count_heard


def test_clips_of_the_same_source_that_were_not_held_out_are_told(tmp_path):
    run, sounds = tmp_path / "OUT", tmp_path / "sounds"
    run.mkdir()
    (run / "training_args.json").write_text(json.dumps({"data_dir": str(sounds)}))
    (run / "predictions.csv").write_text("path,label\na/1.wav,a\nb/1.wav,b\n")
    paths = [str(sounds / name) for name in ("a/0.wav", "a/1.wav", "b/0.wav", "b/1.wav")]
    assert count_heard(str(run), str(sounds), paths) == 2
    assert count_heard(str(run), str(tmp_path / "others"), paths) == 0
    assert count_heard("somebody/network", str(sounds), paths) == 0
    (run / "all_results.json").write_text(json.dumps({"trained_on_all": True}))  # and judged by the networks of folds
    assert count_heard(str(run), str(sounds), [*paths[:2], paths[3]]) == 2
    (run / "all_results.json").unlink()
    (run / "predictions.csv").unlink()
    assert count_heard(str(run), str(sounds), paths) == 4


def test_clips_of_the_same_folder_are_told_whatever_names_them_and_by_ensembles_too(tmp_path):
    run, both, sounds = tmp_path / "OUT", tmp_path / "BOTH", tmp_path / "sounds"
    for folder in (run, both):
        folder.mkdir()
        (folder / "predictions.csv").write_text("path,label\na/1.wav,a\nb/1.wav,b\n")
    (run / "training_args.json").write_text(json.dumps({"data_dir": str(sounds)}))
    (both / "config.json").write_text(json.dumps({"members": [{"_name_or_path": str(run)}]}))
    sounds.mkdir()
    paths = [str(sounds / name) for name in ("a/0.wav", "a/1.wav", "b/0.wav")] + [str(tmp_path / "c.wav")]
    for folder in (run, both):
        assert count_heard(str(folder), str(sounds), paths[:3]) == 2
        assert count_heard(str(folder), str(tmp_path / "list.csv"), paths) == 0
        assert count_beside_heard(str(folder), paths) == 2
    (run / "predictions_unseen.csv").write_text("path,label\na/0.wav,a\n")  # of a further test
    assert count_beside_heard(str(run), paths) == 1
    assert count_beside_heard("somebody/network", paths) == 0

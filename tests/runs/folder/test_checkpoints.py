"""Which checkpoint a run goes on from."""

from hf_audio.runs.folder.checkpoints import last_checkpoint


def test_the_last_checkpoint_is_the_last_complete_one(tmp_path):
    assert last_checkpoint(tmp_path) is None
    for step, state in ((10, '{"global_step": 10}'), (9, '{"global_step": 9}'), (20, '{"global_st'), (30, None)):
        folder = tmp_path / f"checkpoint-{step}"
        folder.mkdir()
        if state is not None:
            (folder / "trainer_state.json").write_text(state)
    assert last_checkpoint(tmp_path) == tmp_path / "checkpoint-10"

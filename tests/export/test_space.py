"""The page on the Hub: a Space that shows files and runs nothing."""

import json
import shutil

import pytest
from helpers.fake_hub import FakeHub
from huggingface_hub import SpaceCard

from hf_audio import cli
from hf_audio.export import space

TITLE = 'Löwe: "Bär"'


@pytest.fixture
def hub(monkeypatch):
    """A Hub of this machine, and a page that is made at once."""

    def make_site(checkpoint, folder):
        folder.mkdir()
        (folder / "index.html").write_text("<p>hear")
        (folder / "model.onnx").write_bytes(b"onnx")
        (folder / "model.json").write_text(json.dumps({"title": TITLE}))
        return folder

    monkeypatch.setattr(space, "make_site", make_site)
    with FakeHub() as fake:
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", fake.url)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
        monkeypatch.setenv("HF_TOKEN", "hf_writer")
        yield fake


def refusal(capsys, *arguments) -> str:
    with pytest.raises(SystemExit) as stopped:
        cli.main(["page", *map(str, arguments)])
    assert stopped.value.code == 2
    return capsys.readouterr().err.strip().splitlines()[-1]


def test_one_commit_makes_a_static_space(hub, checkpoint, capsys, tmp_path):
    folder = tmp_path / "tones"
    shutil.copytree(checkpoint, folder)
    (folder / "README.md").write_text("---\nlicense: cc-by-4.0\n---\n# Tones\n")
    cli.main(["page", str(folder), "--space", "tones", "--dry_run"])
    listed = capsys.readouterr().out.splitlines()
    assert hub.requests == [] and listed[-1].endswith("bytes in 4 files, for tones")
    cli.main(["page", str(folder), "--space", "tones"])
    assert capsys.readouterr().out.strip() == f"{hub.url}/spaces/someone/tones"
    sent = hub.files("spaces/someone/tones")
    assert set(sent) == {"index.html", "model.onnx", "model.json", "README.md"}
    assert {line.split()[1] for line in listed[:-1]} == set(sent)
    card = SpaceCard(sent["README.md"].decode())
    assert (card.data.sdk, card.data.app_file, card.data.title) == ("static", "index.html", TITLE)
    assert card.data.license == "cc-by-4.0" and "models" not in card.data.to_dict()
    assert hub.commits == [("spaces/someone/tones", "main", "Publish a page that runs in the browser")]
    cli.main(["page", str(folder), "--space", "tones"])  # once more, in its place
    assert len(hub.commits) == 2


def test_a_checkpoint_of_the_hub_is_named(hub, capsys):
    cli.main(["page", "someone/tones", "--space", "lab/page"])
    told = SpaceCard(hub.files("spaces/lab/page")["README.md"].decode()).data.to_dict()
    assert told["models"] == ["someone/tones"] and "license" not in told


def test_what_cannot_be_published_is_refused(hub, checkpoint, capsys, tmp_path, monkeypatch):
    told = "error: A page goes into a folder or to the Hub: give either --output_dir or --space."
    assert refusal(capsys, checkpoint) == told
    assert refusal(capsys, checkpoint, "--space", "a", "--output_dir", tmp_path / "site") == told
    assert "--dry_run lists what" in refusal(capsys, checkpoint, "--output_dir", tmp_path / "site", "--dry_run")
    assert "names no repository" in refusal(capsys, checkpoint, "--space", "a/b/c", "--dry_run")
    assert "is not yours" in refusal(capsys, checkpoint, "--space", "stranger/page")
    hub.add("spaces/someone/app")
    hub.repositories["spaces/someone/app"]["sdk"] = "gradio"
    assert "someone/app exists and runs gradio" in refusal(capsys, checkpoint, "--space", "app")
    hub.breaks_off = True
    assert "was not uploaded (no connection" in refusal(capsys, checkpoint, "--space", "page")
    assert hub.commits == [] and not (tmp_path / "site").exists()
    monkeypatch.delenv("HF_TOKEN")
    assert "There is no token" in refusal(capsys, checkpoint, "--space", "page")

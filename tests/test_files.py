"""Folders searched to any depth."""

from hf_audio.files import find_files, find_folders


def write(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("x")


def test_files_come_in_order_and_hidden_ones_not(tmp_path):
    for name in ("b/1.wav", "a/2.wav", "a/deep er/ünïcode 猫.wav", ".hidden/3.wav", "a/.DS_Store", "c.txt"):
        write(tmp_path / name)
    found = [file.relative_to(tmp_path).as_posix() for file in find_files(tmp_path)]
    assert found == ["a/2.wav", "a/deep er/ünïcode 猫.wav", "b/1.wav", "c.txt"]
    assert find_folders(tmp_path) == [tmp_path / "a", tmp_path / "b"]


def test_links_are_followed_and_circles_end(tmp_path):
    write(tmp_path / "elsewhere" / "1.wav")
    root = tmp_path / "root"
    write(root / "a" / "2.wav")
    (root / "linked").symlink_to(tmp_path / "elsewhere")
    (root / "again").symlink_to(tmp_path / "elsewhere")
    (root / "a" / "up").symlink_to(root)
    (root / "a" / "broken").symlink_to(tmp_path / "gone")
    (root / "a" / "itself").symlink_to(root / "a" / "itself")
    found = [file.relative_to(root).as_posix() for file in find_files(root)]
    assert found == ["a/2.wav", "again/1.wav"]
    assert [folder.name for folder in find_folders(root)] == ["a", "again", "linked"]

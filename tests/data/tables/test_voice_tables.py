"""Common Voice's tables: known by their header, and their genders in one form."""

from hf_audio.data.tables.voice_tables import is_voice_table, read_voice_table


def test_genders_of_all_releases_are_two_words_or_nothing(tmp_path):
    path = tmp_path / "train.tsv"
    said = ["male", "Female_feminine ", "male_masculine", "other", "", "non-binary"]
    rows = [f"s{number}\t{number}.mp3\tYes.\t{gender}" for number, gender in enumerate(said)]
    path.write_text("\n".join(["client_id\tpath\tsentence\tgender", *rows, ""]))
    table = read_voice_table(path)
    assert table["gender"].tolist() == ["male", "female", "male", "", "", ""]
    assert table["path"][0] == str(tmp_path / "clips" / "0.mp3")


def test_other_tables_are_none_of_common_voice(tmp_path):
    for name, header, expected in (
        ("a.tsv", "client_id\tpath\tgender", True),
        ("a.csv", "client_id\tpath\tgender", False),
        ("b.tsv", "path\tgender", False),
        ("c.tsv", "client_id,path,gender", False),
    ):
        (tmp_path / name).write_text(header + "\n")
        assert is_voice_table(tmp_path / name) == expected, name
    assert not is_voice_table(tmp_path / "gone.tsv")
    (tmp_path / "bytes.tsv").write_bytes(b"\xff\xfe\t")
    assert not is_voice_table(tmp_path / "bytes.tsv")

"""Files that cannot be used are counted by reason."""

from hf_audio.problems import count_problems


def problem(path: str, predicate: str) -> dict[str, str]:
    return {"path": path, "reason": f"{path} {predicate}"}


def test_a_hundred_silent_files_are_one_line():
    silent = [problem(f"low/silent_{number:03d}.wav", "is silent, every sample is zero.") for number in range(100)]
    loud = [
        problem(f"high/{number}.wav", f"holds samples as large as {number}.5e+06: repair it.") for number in (7, 8)
    ]
    broken = [problem("high/x.wav", "is empty (0 bytes): leave it out.")]
    lines = count_problems([*broken, *loud, *silent], "OUT/skipped.csv")
    assert lines == [
        "100 files cannot be used, low/silent_000.wav, low/silent_001.wav, low/silent_002.wav and 97 more: each of "
        "them is silent, every sample is zero.",
        "2 files cannot be used, high/7.wav, high/8.wav: each of them holds samples as large as 7.5e+06: repair it.",
        "1 file cannot be used: high/x.wav is empty (0 bytes): leave it out. All 103 are listed in OUT/skipped.csv.",
    ]


def test_one_file_is_named_with_its_reason_and_none_is_nothing():
    assert count_problems([problem("a.wav", "is empty.")], "skipped.csv") == ["1 file cannot be used: a.wav is empty."]
    assert count_problems([]) == []


def test_a_reason_that_does_not_begin_with_the_file_is_told_in_full():
    rows = [{"path": "shard#1", "reason": "Row 1 of shard#1 holds no audio."}]
    rows += [{"path": "shard#2", "reason": "Row 2 of shard#2 holds no audio."}]
    assert count_problems(rows) == [
        "2 files cannot be used, shard#1, shard#2: for one: Row 1 of shard#1 holds no audio.",
    ]

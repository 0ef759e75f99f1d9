"""Files of stores read in ranges, and by one request where a server knows none."""

import os
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from helpers.recordings import RATE, encoded, tone

from hf_audio.audio.loading import load_audio, stream_audio
from hf_audio.errors import AudioError, DataError
from hf_audio.remote import reading
from hf_audio.remote.reading import open_remote


def test_long_files_are_read_in_ranges_and_what_breaks_is_told_at_the_end(memory, monkeypatch):
    monkeypatch.setattr(reading, "HEAD_BYTES", 1000)
    monkeypatch.setattr(reading, "BLOCK_BYTES", 4096)
    samples = tone(500, 3.0)
    asked = []
    read = type(memory).cat_file

    def cat_file(self, path, start=None, end=None, **further):
        asked.append((start, end))
        return read(self, path, start=start, end=end, **further)

    monkeypatch.setattr(type(memory), "cat_file", cat_file)
    for file_format in ("WAV", "FLAC"):
        memory.pipe("/b/long", encoded(samples, format=file_format))
        np.testing.assert_array_equal(
            load_audio("memory://b/long", RATE), load_audio(encoded(samples, format=file_format), RATE)
        )
    assert asked[0] == (0, 1000) and max(end - start for start, end in asked) == 4096
    with open_remote("memory://b/long") as file:
        file.seek(-3, os.SEEK_END)
        assert file.read() == encoded(samples, format="FLAC")[-3:]

    def break_off(self, path, start=None, end=None, **further):
        if start > 8000:
            raise TimeoutError("https://secret?sig=1")
        return read(self, path, start=start, end=end, **further)

    monkeypatch.setattr(type(memory), "cat_file", break_off)
    blocks = stream_audio("memory://b/long", RATE)
    with pytest.raises(DataError, match=r"^memory://b/long is not reached \(TimeoutError, 4 times\)"):
        list(blocks)


def test_a_web_server_without_ranges_is_read_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "HEAD_BYTES", 1000)
    monkeypatch.setattr("hf_audio.remote.retries.PAUSE", 0.0)
    (tmp_path / "a.wav").write_bytes(encoded(tone(300)))

    class Quiet(SimpleHTTPRequestHandler):
        def __init__(self, *arguments):
            super().__init__(*arguments, directory=str(tmp_path))

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Quiet)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        address = f"http://127.0.0.1:{server.server_port}/a.wav?token=secret"
        assert len(load_audio(address, RATE)) == len(tone(300))
        with pytest.raises(AudioError, match=r"/b\.wav cannot be read \(it is not there\)"):
            load_audio(address.replace("a.wav", "b.wav"), RATE)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    with pytest.raises(DataError, match=r"/a\.wav is not reached \(\w+, 4 times\)"):
        load_audio(address, RATE)

"""Files by signed addresses over kept connections."""

import ssl
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar
from urllib.parse import quote

import pytest

from hf_audio.remote.signed import Signed


def end_of_file(_):
    raise ssl.SSLEOFError("EOF occurred in violation of protocol")


def test_what_s3fs_signs_is_asked_for_until_a_server_refuses_it(tmp_path):
    (tmp_path / "a b.wav").write_bytes(b"sound")

    class Server(SimpleHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        asked: ClassVar[list[str]] = []

        def __init__(self, *arguments):
            super().__init__(*arguments, directory=str(tmp_path))

        def do_GET(self):
            self.asked.append(f"{self.client_address[1]} {self.headers['Range']}")
            super().do_GET() if "sig=good" in self.path else self.send_error(403)

        def log_message(self, *_):
            pass

    class System:
        """As s3fs has it."""

        def __init__(self, signature):
            self.signature = signature

        def sign(self, place, expiration):
            return f"http://127.0.0.1:{server.server_port}/{quote(place)}?sig={self.signature}"

    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        good, bad, gone = (
            Signed(System("good"), "a b.wav"),
            Signed(System("bad"), "a b.wav"),
            Signed(System("good"), "c"),
        )
        assert [good.read(0, 9), good.read(0, 9), bad.read(0, 9), gone.read(0, 9)] == [b"sound", b"sound", None, None]
        gone.give_up()
        assert len(set(Server.asked[:2])) == 1 and Server.asked[0].endswith(" bytes=0-8")  # by one connection
        assert good.read(0, 9) == b"sound"
        with pytest.MonkeyPatch.context() as patch:  # a kept connection that the server has closed
            patch.setattr("http.client.HTTPConnection.getresponse", end_of_file)
            assert good.read(0, 9) is None
        good.give_up()
        assert good.read(0, 9) == b"sound"
        bad.give_up()
        n_asked = len(Server.asked)
        assert good.read(0, 9) is None and len(Server.asked) == n_asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

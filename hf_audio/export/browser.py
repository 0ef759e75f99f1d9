"""A browser without a window, driven through the pipe of its DevTools: how sites are checked."""

import functools
import itertools
import json
import os
import select
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np

from ..errors import BrowserError

COMMANDS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "microsoft-edge")
APPLICATIONS = (  # of macOS
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)
FLAGS = (
    *("--headless=new", "--remote-debugging-pipe", "--no-first-run", "--no-default-browser-check", "--mute-audio"),
    *("--disable-background-networking", "--disable-component-update", "--disable-gpu", "--disable-dev-shm-usage"),
    # Chromium would ask its maker for updates, models and accounts at every start, in spite of the flags above.
    *("--disable-sync", "--disable-quic", "--no-proxy-server"),
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
)
TIMEOUT = 120  # seconds until an answer counts as lost, on a slow and busy machine too


def find_browser() -> str | None:
    """The program of a Chromium, Chrome or Edge; `None` where there is none that this module can drive."""
    if os.name != "posix":
        return None  # the pipe's ends are passed on in POSIX's way
    found = next(filter(None, map(shutil.which, COMMANDS)), None)
    return found or next((path for path in APPLICATIONS if os.access(path, os.X_OK)), None)


def scores_in_browser(site: str | os.PathLike, clips: Sequence[str | os.PathLike]) -> list[np.ndarray]:
    """What a site's page says of audio files that a visitor chooses one after the other.

    Args:
        site: folder that `make_site` has written.
        clips: files that browsers can decode; their scores equal Python's for WAV at the model's rate.

    Returns:
        Probabilities, (labels,) each, in the order of the clips.

    Raises:
        BrowserError: there is no browser, it does not answer, or the page cannot read a clip.
    """
    return [np.array(answer["scores"], dtype=np.float32) for answer in _answers_in_browser(site, clips, "answer")]


def frames_in_browser(site: str | os.PathLike, clips: Sequence[str | os.PathLike]) -> list[np.ndarray]:
    """Probabilities, (frames, labels), of each clip by a model that scores frames, see `scores_in_browser`.

    Raises:
        BrowserError: as there.
    """
    return [np.array(answer["frames"], dtype=np.float32) for answer in _answers_in_browser(site, clips, "frames")]


def _answers_in_browser(
    site: str | os.PathLike, clips: Sequence[str | os.PathLike], kind: str
) -> list[dict[str, Any]]:
    with serve_folder(site) as address, Browser() as browser:
        browser.open(address)
        return [browser.choose(clip, kind) for clip in clips]


@contextmanager
def serve_folder(folder: str | os.PathLike) -> Iterator[str]:
    """The address of a folder's index.html, served to this machine alone."""

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=folder)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()


class Browser:
    """A browser with one page, from `with` to its end.

    Args:
        flags: further ones of the command line.

    Raises:
        BrowserError: there is no browser, or it does not start.
    """

    def __init__(self, flags: Sequence[str] = ()):
        program = find_browser()
        if program is None:
            raise BrowserError("There is no Chromium, Chrome or Edge on this machine: install one.")
        self._profile = tempfile.TemporaryDirectory(prefix="hf_audio_browser_", ignore_cleanup_errors=True)
        command = [program, *FLAGS, f"--user-data-dir={self._profile.name}", *flags, "about:blank"]
        if os.geteuid() == 0:
            command.insert(1, "--no-sandbox")  # Chromium's sandbox does not run as root
        self._process = subprocess.Popen(
            # Chromium reads commands from descriptor 3 and writes answers to 4.
            ["sh", "-c", 'exec "$@" 3<&0 4>&1 </dev/null >/dev/null', "sh", *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            start_new_session=True,
        )
        assert self._process.stdin is not None and self._process.stdout is not None
        self._commands, self._answers = self._process.stdin, self._process.stdout
        self._received = b""
        self._numbers = itertools.count(1)
        self._session: str | None = None
        self.events: list[dict[str, Any]] = []
        """What the page has told by itself, as the DevTools protocol has it."""

    def __enter__(self) -> "Browser":
        try:
            target = self.call("Target.createTarget", url="about:blank")["targetId"]
            self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
            for domain in ("Page", "Runtime", "DOM", "Log", "Network"):
                self.call(f"{domain}.enable")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(ProcessLookupError, PermissionError):  # it has ended already
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._commands.close()
        self._answers.close()
        self._profile.cleanup()

    def open(self, address: str) -> None:
        """Go to a site's page and wait until it would take a clip.

        Raises:
            BrowserError: the page says that it cannot.
        """
        self.call("Page.navigate", url=address)
        self.wait_for("document.querySelector('#file:enabled') || document.querySelector('#error')?.textContent")
        sentence = self.evaluate("document.querySelector('#error').textContent")
        if sentence:
            raise BrowserError(sentence)

    def choose(self, clip: str | os.PathLike, kind: str = "answer") -> dict[str, Any]:
        """Have the page judge a file, as if a visitor chose it; returns `{"name", "scores"}`, or of "frames" these.

        Raises:
            BrowserError: the page cannot read it, or does not answer.
        """
        self.expect_answer(kind)
        document = self.call("DOM.getDocument")["root"]["nodeId"]
        field = self.call("DOM.querySelector", nodeId=document, selector="#file")["nodeId"]
        self.call("DOM.setFileInputFiles", nodeId=field, files=[os.path.abspath(clip)])
        return self.answer()

    def expect_answer(self, kind: str = "answer") -> None:
        """Keep the page's next answer, or its next event of another kind, for `answer`."""
        self.evaluate(
            "void (window.nextAnswer = new Promise((resolve) => "
            f"document.addEventListener('{kind}', ({{ detail }}) => resolve(detail), {{ once: true }})))"
        )

    def answer(self) -> dict[str, Any]:
        """The answer that was expected, `{"name", "scores"}`.

        Raises:
            BrowserError: the page cannot read the clip, or does not answer.
        """
        answer = self.evaluate("window.nextAnswer")
        if "error" in answer:
            raise BrowserError(answer["error"])
        return answer

    def wait_for(self, condition: str) -> None:
        """Wait until a JavaScript expression is true.

        Raises:
            BrowserError: it has not become true in time.
        """
        deadline = time.monotonic() + TIMEOUT
        while not self.evaluate(f"Boolean({condition})"):
            if time.monotonic() > deadline:
                raise BrowserError(f"The page has not come to {condition} in {TIMEOUT} s.")
            time.sleep(0.02)

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression or, if it is a promise, of what it promises.

        Raises:
            BrowserError: it throws.
        """
        answer = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            details = answer["exceptionDetails"]
            raise BrowserError(details.get("exception", {}).get("description", details["text"]).split("\n")[0])
        return answer["result"].get("value")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One command of the DevTools protocol, https://chromedevtools.github.io/devtools-protocol, and its result.

        Raises:
            BrowserError: it fails, or nothing comes back.
        """
        number = next(self._numbers)
        message: dict[str, Any] = {"id": number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        try:
            self._commands.write(json.dumps(message).encode() + b"\0")
        except OSError as error:
            raise BrowserError("The browser has ended by itself: start it by hand to see why.") from error
        deadline = time.monotonic() + TIMEOUT
        while True:
            answer = self._receive(deadline)
            if answer.get("id") != number:
                self.events.append(answer)
            elif "error" in answer:
                raise BrowserError(f"The browser refuses {method}: {answer['error']['message']}.")
            else:
                return answer["result"]

    def _receive(self, deadline: float) -> dict[str, Any]:
        while b"\0" not in self._received:
            ready, _, _ = select.select([self._answers], [], [], max(0, deadline - time.monotonic()))
            if not ready:
                raise BrowserError(f"The browser has not answered in {TIMEOUT} s.")
            part = os.read(self._answers.fileno(), 1 << 20)
            if not part:
                raise BrowserError("The browser has ended by itself: start it by hand to see why.")
            self._received += part
        message, _, self._received = self._received.partition(b"\0")
        return json.loads(message)

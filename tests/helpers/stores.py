"""An object store that runs locally, with a real S3 interface, and ways to make it slow, broken or forbidden."""

import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import pytest


class Store:
    """A bucket `sounds` on a server of its own.

    Args:
        address: of the server.
        requests: method and path of each, as they come.
    """

    def __init__(self, address: str, requests: list[tuple[str, str]]):
        import boto3

        self.address = address
        self.requests = requests
        self.client = boto3.client("s3", endpoint_url=address, region_name="us-east-1")
        self.delay = 0.0
        """Seconds that every answer takes longer."""
        self.failures: dict[str, int] = {}
        """How many of the next requests for keys that contain a text are answered by 503."""
        self.forbidden = ""
        """What keys, or buckets, contain that may not be read."""
        self.client.create_bucket(Bucket="sounds")

    def put(self, key: str, content: bytes) -> str:
        """A file; returns its address."""
        self.client.put_object(Bucket="sounds", Key=key, Body=content)
        return f"s3://sounds/{key}"

    def list(self) -> list[str]:
        """Of all files."""
        return sorted(one["Key"] for one in self.client.list_objects_v2(Bucket="sounds").get("Contents", []))

    def drop(self) -> None:
        """The bucket with all that is in it."""
        for key in self.list():
            self.client.delete_object(Bucket="sounds", Key=key)
        self.client.delete_bucket(Bucket="sounds")


@contextmanager
def store_running(monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """A store, and the environment by which clients find it; the test is skipped where moto or s3fs is missing."""
    pytest.importorskip("s3fs")
    moto_server = pytest.importorskip("moto.server")
    from werkzeug.serving import make_server

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "verysecret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    requests: list[tuple[str, str]] = []
    answer = moto_server.DomainDispatcherApplication(moto_server.create_backend_app)
    made: list[Store] = []

    def application(environ, start_response):
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        requests.append((method, path))
        store = made[0] if made else None
        if store is not None:
            time.sleep(store.delay)
            failing = next((text for text, n in store.failures.items() if text in path and n > 0), None)
            if failing is not None:
                store.failures[failing] -= 1
                start_response("503 Service Unavailable", [("Content-Type", "application/xml")])
                return [b"<Error><Code>ServiceUnavailable</Code><Message>busy</Message></Error>"]
            if store.forbidden and store.forbidden in path:
                start_response("403 Forbidden", [("Content-Type", "application/xml")])
                return [b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"]
        return answer(environ, start_response)

    server = make_server("127.0.0.1", 0, application, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    address = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setenv("AWS_ENDPOINT_URL", address)
    try:
        import s3fs

        s3fs.S3FileSystem.clear_instance_cache()
        # The server's memory is the process's, which has that of tests before.
        urllib.request.urlopen(urllib.request.Request(f"{address}/moto-api/reset", method="POST")).close()
        made.append(Store(address, requests))
        requests.clear()
        yield made[0]
    finally:
        server.shutdown()
        thread.join()

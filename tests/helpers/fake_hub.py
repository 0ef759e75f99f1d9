"""As much of the Hub as an upload and a download ask for, on this machine; it keeps everything in memory."""

import base64
import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlparse

TOKENS = {
    "hf_writer": ("write", ["lab"]),
    "hf_reader": ("read", []),
}
COMMIT = "0" * 39


class FakeHub:
    """A server for the time of a `with`; `repositories` and `commits` tell what it has been sent."""

    def __init__(self):
        self.repositories = {}  # id -> {"private": bool, "branches": {name: {path: bytes}}}
        self.commits = []  # (id, branch, message)
        self.writable = {"someone", "lab"}
        self.breaks_off = False
        self.objects = {}
        self.requests = []

    def __enter__(self):
        hub = self

        class Handler(_Handler):
            pass

        Handler.hub = hub
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()

    def add(self, repo_id, private=False):
        self.repositories[repo_id] = {"private": private, "branches": {"main": {}}}

    def files(self, repo_id, branch="main"):
        return self.repositories[repo_id]["branches"][branch]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: FakeHub

    def log_message(self, *_):
        pass

    def answer(self, status, content=None, **headers):
        body = content if isinstance(content, bytes) else json.dumps(content or {}).encode()
        self.send_response(status)
        for name, value in {"Content-Length": len(body), **headers}.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def begin(self):
        self.path_ = unquote(urlparse(self.path).path)
        self.hub.requests.append((self.command, self.path_))
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        parts = [part for part in self.path_.split("/") if part]
        self.kind = ""
        if parts[:2] == ["api", "spaces"]:  # kept beside models, under names of their own
            self.kind, parts[1] = "spaces/", "models"
        if parts[:1] == ["spaces"]:
            self.kind, parts = "spaces/", parts[1:]
        return parts

    def may_write(self, repo_id):
        return TOKENS.get(self.token, ("", []))[0] == "write" and repo_id.split("/")[0] in self.hub.writable

    def do_GET(self):
        match self.begin():
            case ["api", "whoami-v2"]:
                if self.token not in TOKENS:
                    return self.answer(401, {"error": "Invalid user token."})
                role, organisations = TOKENS[self.token]
                token = {"displayName": self.token, "role": role}
                orgs = [{"name": name} for name in organisations]
                return self.answer(200, {"name": "someone", "orgs": orgs, "auth": {"accessToken": token}})
            case ["api", "models", owner, name, *_] if f"{self.kind}{owner}/{name}" in self.hub.repositories:
                repository = self.hub.repositories[f"{self.kind}{owner}/{name}"]
                files = [{"rfilename": path} for path in self.hub.files(f"{self.kind}{owner}/{name}")]
                told = {"id": f"{owner}/{name}", "private": repository["private"], "sha": COMMIT + "1"}
                return self.answer(200, {**told, "siblings": files, "sdk": repository.get("sdk")})
            case [owner, name, "resolve", branch, *path] if f"{owner}/{name}" in self.hub.repositories:
                branch = "main" if branch.startswith(COMMIT) else branch
                content = self.hub.files(f"{owner}/{name}", branch).get("/".join(path))
                if content is not None:
                    etag = f'"{hashlib.sha256(content).hexdigest()}"'
                    return self.answer(200, content, ETag=etag, X_Repo_Commit=COMMIT + "1")
                return self.answer(404, X_Error_Code="EntryNotFound")
        return self.answer(404, X_Error_Code="RepoNotFound")

    do_HEAD = do_GET

    def do_PUT(self):
        name = self.begin()[-1]
        self.hub.objects[name] = self.body
        self.answer(200)

    def do_POST(self):
        match self.begin():
            case ["api", "validate-yaml"]:
                return self.answer(200, {"errors": [], "warnings": []})
            case ["api", "repos", "create"]:
                asked = json.loads(self.body)
                repo_id = f"{asked['organization']}/{asked['name']}"
                may_write, kind = self.may_write(repo_id), asked.get("type", "model")
                repo_id = f"spaces/{repo_id}" if kind == "space" else repo_id
                if repo_id in self.hub.repositories:
                    return self.answer(409, {"url": f"{self.hub.url}/{repo_id}"})
                if not may_write:
                    return self.answer(403)
                self.hub.add(repo_id, asked.get("visibility") == "private" or asked.get("private", False))
                self.hub.repositories[repo_id]["sdk"] = asked.get("sdk")
                return self.answer(200, {"url": f"{self.hub.url}/{repo_id}"})
            case ["api", "models", owner, name, _, *_] if not self.may_write(f"{owner}/{name}"):
                return self.answer(403)
            case ["api", "models", owner, name, "branch", branch]:
                self.hub.repositories[f"{owner}/{name}"]["branches"].setdefault(branch, {})
                return self.answer(200)
            case ["api", "models", _, _, "preupload", _]:
                files = [
                    {
                        "path": file["path"],
                        "uploadMode": "lfs" if file["path"].endswith(".safetensors") else "regular",
                        "shouldIgnore": False,
                    }
                    for file in json.loads(self.body)["files"]
                ]
                return self.answer(200, {"files": files})
            case [_, _, "info", "lfs", "objects", "batch"]:
                objects = [
                    {**sent, "actions": {"upload": {"href": f"{self.hub.url}/objects/{sent['oid']}"}}}
                    for sent in json.loads(self.body)["objects"]
                ]
                return self.answer(200, {"transfer": "basic", "objects": objects})
            case ["api", "models", owner, name, "commit", branch]:
                if self.hub.breaks_off:
                    self.close_connection = True
                    return self.connection.close()
                lines = [json.loads(line) for line in self.body.splitlines()]
                files = self.hub.files(f"{self.kind}{owner}/{name}", branch)
                for line in lines:
                    value = line["value"]
                    if line["key"] == "file":
                        files[value["path"]] = base64.b64decode(value["content"])
                    elif line["key"] == "lfsFile":
                        files[value["path"]] = self.hub.objects[value["oid"]]
                self.hub.commits.append((f"{self.kind}{owner}/{name}", branch, lines[0]["value"]["summary"]))
                told = {"commitUrl": f"{self.hub.url}/{owner}/{name}/commit/1", "commitOid": COMMIT + "1"}
                return self.answer(200, told)
        return self.answer(404, X_Error_Code="RepoNotFound")

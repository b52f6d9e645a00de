"""A server that answers wandb's client as far as a run needs it, and keeps what it was sent."""

import gzip
import json
import re
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

KEY = "0" * 40


class Server(ThreadingHTTPServer):
    """On a free port of this machine.

    Attributes:
        runs: What each run was said to be: settings, group, tags, ...
        rows: Of the history, in the order in which they came.
        files: By their paths.
    """

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.runs, self.rows, self.files = [], [], {}

    def handle_error(self, *_):
        """A client that leaves without a word is no error."""

    @property
    def environment(self):
        """By which wandb finds it, and has a key for it."""
        return {"WANDB_BASE_URL": self.url, "WANDB_API_KEY": KEY, "WANDB_ERROR_REPORTING": "false"}

    def answer(self, operation, asked):
        """The data of a GraphQL query."""
        match operation:
            case "Viewer":
                return {"viewer": {"id": "5", "entity": "team", "username": "somebody", "teams": {"edges": []}}}
            case "UpsertBucket":
                self.runs.append(asked)
                project = {"id": "2", "name": asked["project"], "entity": {"id": "3", "name": "team"}}
                run = {"id": "1", "name": asked["name"], "historyLineCount": 0, "project": project}
                return {"upsertBucket": {"bucket": run, "inserted": True}}
            case "ArtifactType":
                return {"project": None}
            case "CreateArtifact":
                artifact = {"id": "4", "state": "COMMITTED", "artifactSequence": {"latestArtifact": None}}
                return {"createArtifact": {"artifact": artifact}}
            case "CreateRunFiles":
                files = [{"name": name, "uploadUrl": f"{self.url}/upload/{name}"} for name in asked["files"]]
                return {"createRunFiles": {"runID": "1", "uploadHeaders": [], "files": files}}
        return {}


class Handler(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        answer = {}
        if self.path == "/graphql":
            asked = json.loads(body)
            operation = re.search(r"(?:query|mutation) (\w+)", asked["query"])[1]
            answer = {"data": self.server.answer(operation, asked.get("variables"))}
        elif self.path.endswith("/file_stream"):
            lines = json.loads(body).get("files", {}).get("wandb-history.jsonl", {}).get("content", [])
            self.server.rows += map(json.loads, lines)
        elif self.path.startswith("/upload/"):
            self.server.files[self.path.removeprefix("/upload/")] = body
        content = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_PUT = do_GET = do_POST

    def log_message(self, *_):
        pass


@contextmanager
def serving():
    """It answers until the block ends."""
    with Server() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server
        finally:
            server.shutdown()

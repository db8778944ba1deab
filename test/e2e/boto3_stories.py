#!/usr/bin/env python3
"""Tells the stories in stories/*.txt to a running server through boto3.

Needs AWS_ENDPOINT_URL and keys in the environment. README.md says how stories are
written; stories_test.go tells the same ones through SDK for Go v2. Exits with 1 when
a story goes wrong or an operation that docs/reference lists occurs in none.
"""

import io
import json
import os
import pathlib
import re
import sys
import time
import zipfile

import boto3
from botocore.exceptions import ClientError

HERE = pathlib.Path(__file__).resolve().parent
# A story's name begins with the service it is about: s3.txt, s3-web.txt.
SERVICES = sorted({re.split("[-_]", p.stem)[0] for p in (HERE / "stories").glob("*.txt")})
CLIENTS = {"monitoring": "cloudwatch"}  # where boto3 calls a service otherwise
WAIT_LIMIT, PAUSE = 60, 0.1  # seconds


class Wrong(Exception):
    """A story did not go as it is written."""


def read_story(path):
    """Returns (texts, steps); a step is (line, service, operation, input, checks)."""
    texts, steps, text = {}, [], None
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if line.startswith("  ") and text:
            texts[text] += line[2:] + "\n"
        elif line.startswith("#") or not line.strip() and not text:
            continue
        elif line.startswith("  "):
            steps[-1][4].append((line[2:].split(" ", 2) + [""])[:3])
        elif line.startswith("text "):
            text = line[5:]
            texts[text] = ""
        else:
            text = None
            if line.strip():
                service, operation, *rest = line.split(" ", 2)
                steps.append((number, service, operation, rest[0] if rest else "{}", []))
    return texts, steps


def fill(text, variables, encode=lambda s: s):
    """Puts variables into text."""
    return re.sub(r"\$\{(\w+)\}", lambda m: encode(variables[m[1]]), text)


def expand(value):
    """Turns $bytes, $userdata and $zip into what boto3 takes."""
    if isinstance(value, list):
        return [expand(v) for v in value]
    if not isinstance(value, dict):
        return value
    if "$bytes" in value:
        return value["$bytes"].encode()
    if "$userdata" in value:
        return value["$userdata"]  # boto3 encodes it itself
    if "$zip" in value:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for name, content in sorted(value["$zip"].items()):
                archive.writestr(name, content)
        return buffer.getvalue()
    return {name: expand(v) for name, v in value.items()}


def find(value, path):
    """Follows a path; None where it leads nowhere, # counts."""
    for part in path.split("."):
        if part == "#":
            return len(value or [])
        if isinstance(value, dict):
            value = {k.lower(): v for k, v in value.items()}.get(part.lower())
        elif isinstance(value, list):
            value = value[int(part)] if part.isdigit() and int(part) < len(value) else None
        else:
            return None
    return value


def as_text(value):
    """A value as stories write it."""
    return value if isinstance(value, str) else json.dumps(value, default=str, separators=(",", ":"))


def judge(answer, checks, variables):
    """Returns what is wrong, or None; the second value says that waiting may help."""
    for verb, path, value in checks:
        if verb == "var":
            continue
        got, wanted = find(answer, path), fill(value, variables)
        if path.endswith("#") and got is None:
            got = 0
        good = {
            "want": got is not None and as_text(got) == wanted,
            "until": got is not None and as_text(got) == wanted,
            "has": got is not None and wanted in as_text(got),
            "lacks": got is None or got == [] or got == "" or got == {},
        }[verb]
        if not good:
            return f"{verb} {path} {wanted}: it is {as_text(got)}", verb == "until"
    return None, False


def call(client, operation, values):
    """Calls an operation by the API's name; a stream becomes its text."""
    names = {api: python for python, api in client.meta.method_to_api_mapping.items()}
    answer = getattr(client, names[operation])(**values)
    answer.pop("ResponseMetadata", None)
    if hasattr(answer.get("Body"), "read"):
        answer["Body"] = answer["Body"].read().decode(errors="replace")
    return answer


def take(client, operation, text, checks, variables):
    """Makes a call, again where the story waits for something."""
    values = expand(json.loads(fill(text, variables, lambda s: json.dumps(s)[1:-1])))
    deadline = time.monotonic() + WAIT_LIMIT
    while True:
        try:
            answer = call(client, operation, values)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if checks and checks[0][0] == "fails" and checks[0][1] == code:
                return
            raise Wrong(str(error)) from error
        if checks and checks[0][0] == "fails":
            raise Wrong(f"it must fail with {checks[0][1]}")
        wrong, again = judge(answer, checks, variables)
        if wrong is None:
            break
        if not again or time.monotonic() > deadline:
            raise Wrong(f"{wrong}\n{as_text(answer)}")
        time.sleep(PAUSE)
    for verb, name, path in checks:
        if verb == "var":
            value = find(answer, path)
            if value is None:
                raise Wrong(f"var {name}: nothing at {path}")
            variables[name] = as_text(value)


def clock_variables():
    """The time in milliseconds, and an hour before and after it."""
    now = time.time()
    hours = {"before": now - 3600, "after": now + 3600}
    return {"now": str(int(now * 1000)), **{name: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at)) for name, at in hours.items()}}


def tell(path, clients, run, called):
    """Tells one story."""
    texts, steps = read_story(path)
    variables = {"run": run, **clock_variables(), **{name: text.replace("${run}", run) for name, text in texts.items()}}
    for number, service, operation, text, checks in steps:
        called.add((service, operation))
        try:
            take(clients[service], operation, text, checks, variables)
        except Exception as error:
            raise Wrong(f"{path.name}:{number}: {service} {operation}: {error}") from error


def missing(called):
    """Operations that are listed as implemented and occur in no story."""
    for service in SERVICES:
        page = (HERE / "../../docs/reference" / f"{service}.md").read_text()
        for operation in re.findall(r"^\| ([A-Z]\w+) \|", page, re.MULTILINE):
            if (service, operation) not in called:
                yield f"no story calls {service} {operation}"


def main():
    endpoint = os.environ["AWS_ENDPOINT_URL"]
    clients = {s: boto3.client(CLIENTS.get(s, s), endpoint_url=endpoint) for s in SERVICES}
    run, called, failed = f"py{int(time.time() * 1000)}", set(), False
    for path in sorted((HERE / "stories").glob("*.txt")):
        begun = time.monotonic()
        try:
            tell(path, clients, run, called)
            print(f"ok    {path.stem}  {time.monotonic() - begun:.1f}s", flush=True)
        except Wrong as error:
            failed = True
            print(f"FAIL  {error}", flush=True)
    for problem in [] if failed else missing(called):
        failed = True
        print(f"FAIL  {problem}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

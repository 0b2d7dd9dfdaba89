"""Start a real Neo4j server from Maven Central's jars: no Docker, no root, only java and mvn.

It is the long-term version 5.26, which wants Java 17 or 21, or the one that LIB_GRAPH_NEO4J_VERSION
names: 2026.08.1 wants Java 21 or newer, which is looked for beyond the one on the path.

Used by `tools/neo4j/run` and by the tests. Needs nothing but Python's standard library.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shlex
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Server", "ServerError", "bind", "cache", "import_files", "missing_tools", "start"]

HERE = Path(__file__).parent
POM = HERE / "pom.xml"
USERNAME = "neo4j"
START_LIMIT_S = 120
STOP_LIMIT_S = 60
COPY_JARS = "org.apache.maven.plugins:maven-dependency-plugin:3.9.0:copy-dependencies"
OPENED = ("java.nio", "java.io", "sun.nio.ch", "java.util.concurrent")
OLDEST_JAVA = 21  # of versions after 5
JAVA = [
    "-Xms256m", "-Xmx1g", "-XX:+UseG1GC", "-Dfile.encoding=UTF-8",
    "-Dio.netty.tryReflectionSetAccessible=true", "-Dlog4j2.disable.jmx=true",
    *(f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in OPENED),
    "--enable-native-access=ALL-UNNAMED",
]  # fmt: skip


class ServerError(Exception):
    """The server's jars cannot be had, or it does not start."""


def missing_tools() -> list[str]:
    """Return which of the programs that a server needs are not installed."""
    return [tool for tool in ("java", "mvn") if shutil.which(tool) is None]


def version() -> str:
    """Return the version that is meant: LIB_GRAPH_NEO4J_VERSION, else the long-term one."""
    return os.environ.get("LIB_GRAPH_NEO4J_VERSION") or "5.26.31"


def java() -> str:
    """Return the program that the version runs in.

    Raises ServerError if a version after 5 is meant and no Java is new enough.
    """
    if version().startswith("5."):
        return "java"
    places = [Path(os.environ.get("JAVA_HOME", "/nowhere")), *Path("/usr/lib/jvm").glob("*")]
    for program in ("java", *(str(place / "bin" / "java") for place in places)):
        if shutil.which(program):
            said = subprocess.run([program, "-version"], capture_output=True, text=True).stderr
            found = re.search(r'version "(\d+)', said)
            if found and int(found[1]) >= OLDEST_JAVA:
                return program
    raise ServerError(f"Neo4j {version()} needs Java {OLDEST_JAVA} or newer. Set JAVA_HOME.")


def cache() -> Path:
    """Return the folder of the jars and homes: LIB_GRAPH_NEO4J_CACHE, else .cache/neo4j."""
    return Path(os.environ.get("LIB_GRAPH_NEO4J_CACHE") or HERE.parents[1] / ".cache" / "neo4j")


@dataclass
class Server:
    """A server that answers at `uri` to the user neo4j."""

    home: Path
    port: int
    password: str
    process: subprocess.Popen[bytes]
    gds: bool = False
    bound: bool = False
    username = USERNAME

    @property
    def uri(self) -> str:
        """The address for drivers."""
        return f"bolt://127.0.0.1:{self.port}"

    def stop(self) -> None:
        """Stop in order, or after a minute without."""
        self.process.terminate()
        try:
            self.process.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """Stop at once, as a power cut would."""
        self.process.kill()
        self.process.wait()

    def start_again(self) -> None:
        """Start the server that was stopped or killed, with the data it has."""
        self.process = _launch(self.home, self.gds, self.bound)


def start(
    home: Path, password: str, port: int = 0, *, gds: bool = False, bound: bool = False
) -> Server:
    """Return a server that runs on the data in `home`, which is made if it is not there.

    Port 0 takes a free one. The password counts only for a new home. A server that is `bound` is
    killed when this process is gone, however that ended. Raises ServerError if the jars cannot be
    had or the server does not start.
    """
    fetch_jars(gds)
    for folder in ("conf", "data", "import", "plugins"):
        (home / folder).mkdir(parents=True, exist_ok=True)
    port = port or _free_port()
    _write_settings(home, port, gds)
    if not (home / "data" / "dbms" / "auth.ini").exists():
        _set_first_password(home, password)
    return Server(home, port, password, _launch(home, gds, bound), gds, bound)


def import_files(home: Path, folder: Path) -> str:
    """Replace the database in `home` by the files of a folder with `import.args`.

    Returns what the importer says. The server must not run; a home that is not there is made.
    Raises ServerError if the import fails, after which the database cannot be used.
    """
    fetch_jars()
    for name in ("conf", "data", "import", "plugins"):
        (home / name).mkdir(parents=True, exist_ok=True)
    return _admin(
        home, ["database", "import", "full", "neo4j", "@import.args", "--verbose"], folder
    )


def fetch_jars(gds: bool = False) -> Path:
    """Return the folder with the server's jars; the first time Maven downloads them (123 MB)."""
    made_from = hashlib.sha256(POM.read_bytes()).hexdigest()[:12]
    jars = cache() / made_from
    jars.mkdir(parents=True, exist_ok=True)
    with (jars / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two test sessions may want them at once
        if not gds:
            return _download(jars / f"lib-{version()}", f"-Dneo4j.version={version()}")
        _download(jars / "gds-plugins", "-P", "gds", "-DincludeGroupIds=org.neo4j.gds")
        return _download(jars / "lib-gds", "-P", "gds")


def _download(folder: Path, *options: str) -> Path:
    if folder.is_dir():
        return folder
    if missing := missing_tools():
        raise ServerError(
            f"{' and '.join(missing)} not found: Neo4j needs Java 17 or 21 and Maven."
        )
    part = folder.with_suffix(".part")
    command = ["mvn", "-B", "-q", "-f", str(POM), *options, COPY_JARS]
    command += ["-DincludeScope=runtime", f"-DoutputDirectory={part}"]
    for wait in (5, 15, 45, 0):
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode == 0:
            part.rename(folder)
            return folder
        time.sleep(wait)
    raise ServerError(f"Maven could not download Neo4j's jars:\n{done.stdout[-2000:]}")


def _write_settings(home: Path, port: int, gds: bool) -> None:
    settings = {
        "server.bolt.listen_address": f"127.0.0.1:{port}",
        "server.bolt.advertised_address": f"127.0.0.1:{port}",
        "server.http.enabled": "false",
        "server.https.enabled": "false",
        "dbms.security.auth_enabled": "true",
        "dbms.security.allow_csv_import_from_file_urls": "false",  # LOAD CSV reads any local file
        "dbms.usage_report.enabled": "false",
        "server.memory.pagecache.size": "256m",
        "db.tx_log.preallocate": "false",
        "internal.dbms.bolt.netty_server_shutdown_timeout": "1s",  # stops in 1 s instead of 10
    }
    if gds:
        settings["dbms.security.procedures.unrestricted"] = "gds.*"
        plugins = fetch_jars(gds=True).with_name("gds-plugins")
        shutil.copytree(plugins, home / "plugins", dirs_exist_ok=True)
    text = "".join(f"{name}={value}\n" for name, value in settings.items())
    (home / "conf" / "neo4j.conf").write_text(text, encoding="utf-8")


def _set_first_password(home: Path, password: str) -> None:
    _admin(home, ["dbms", "set-initial-password", password], home)


def _admin(home: Path, arguments: list[str], where: Path) -> str:
    """Run neo4j-admin in the folder `where` and return what it says."""
    tool = "org.neo4j.cli.AdminTool"
    done = subprocess.run(
        [java(), *JAVA, "-cp", f"{fetch_jars()}/*", tool, *arguments],
        env={**os.environ, "NEO4J_HOME": str(home), "NEO4J_CONF": str(home / "conf")},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=where,
    )  # fmt: skip
    if done.returncode != 0:
        raise ServerError(f"neo4j-admin {' '.join(arguments[:2])} failed:\n{done.stdout[-2000:]}")
    return done.stdout


def _launch(home: Path, gds: bool, bound: bool) -> subprocess.Popen[bytes]:
    """Start the server and wait until it answers."""
    log = home / "console.log"
    main = "CommunityEntryPoint" if version().startswith("5.") else "Neo4jCommunity"
    command = [java(), *JAVA, "-cp", f"{fetch_jars(gds)}/*", f"org.neo4j.server.{main}"]
    command += [f"--home-dir={home}", f"--config-dir={home / 'conf'}", "--console-mode"]
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, stdout=out, stderr=subprocess.STDOUT, start_new_session=True
        )  # its own session: Ctrl-C must not stop it before its clients
    if bound:
        bind(process.pid, f"--home-dir={home}")
    try:
        _wait_until_started(process, log)
    except BaseException:
        process.kill()
        process.wait()
        raise
    return process


def bind(process: int, mark: str) -> None:
    """Let a process be killed when this one is gone, if `mark` then is in its command line.

    A shell waits for the end of a pipe whose other end nobody but this process has.
    """
    here, _there = os.pipe()  # which stays open as long as this process lives
    kill = f"ps -ww -o args= -p {process} | grep -qF -e {shlex.quote(mark)} && kill -9 {process}"
    wait = f"exec 3<&0; {{ read _ <&3; {kill}; }} >/dev/null 2>&1 &"
    subprocess.run(["sh", "-c", wait], stdin=here, start_new_session=True, check=True)
    os.close(here)


def _wait_until_started(process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + START_LIMIT_S
    while " Started." not in (console := log.read_text(encoding="utf-8", errors="replace")):
        if process.poll() is not None or time.monotonic() > end:
            raise ServerError(f"Neo4j did not start. The end of {log}:\n{console[-2000:]}")
        time.sleep(0.1)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port

"""The main job on real input: a bakery is built, delivered through a registry, and run many times from one image.

Every step is an ordinary `tack` command, printed before it runs. Two stores and one registry live in a folder of
their own, so nothing else on this machine is touched; all of it is gone at the end unless `--keep` is given.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
TACK = str(Path(sys.executable).parent / "tack")
COOKIES = ("classic", "vegan", "gooey")
ON_THE_WAY = ("Preparing", "Pushing", "Pulling fs layer", "Waiting", "Downloading", "Extracting")
BAKERIES = 3
STORES = ("store", "second-store")


class Demo:
    """The folder of this run, and the commands that work in it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.port = free_port()
        self.repository = f"127.0.0.1:{self.port}/bakery/cookies"
        self.page = f"http://127.0.0.1:{self.port}/"
        self.registry: subprocess.Popen[bytes] | None = None
        self.containers: list[str] = []

    def environment(self, store: str) -> dict[str, str]:
        root = self.home / store
        return os.environ | {"HARDTACK_ROOT": str(root), "HARDTACK_RUN": str(root / "run")}

    def tack(self, *words: str, store: str = "store", show: bool = True, quiet: bool = False) -> str:
        """Run one command and return what it printed; its own output is shown indented, errors end the demo."""
        if show:
            print(f"  $ tack {shlex.join(words)}", flush=True)
        done = subprocess.run(
            [TACK, *words],
            check=False,
            env=self.environment(store),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if show and not quiet:
            for line in done.stdout.rstrip().splitlines():
                if not line.endswith(ON_THE_WAY):
                    print(f"    {line}")
        if done.returncode:
            raise SystemExit(f"the demo stops: tack {shlex.join(words)} ended with {done.returncode}\n{done.stdout}")
        return done.stdout.strip()

    def open_registry(self) -> None:
        words = [
            "registry",
            "serve",
            "--root",
            str(self.home / "registry"),
            "--listen",
            f"127.0.0.1:{self.port}",
        ]
        print(f"  $ tack {' '.join(words)} &", flush=True)
        log = (self.home / "registry.log").open("wb")
        self.registry = subprocess.Popen([TACK, *words], stdout=log, stderr=log, start_new_session=True)
        wait_for(f"{self.page}v2/", 20)

    def close(self) -> None:
        """Throw both stores away, then close the registry."""
        for store in STORES:
            subprocess.run(
                [TACK, "system", "reset", "-f"], check=False, env=self.environment(store), capture_output=True
            )
        if self.registry is not None:
            self.registry.terminate()
            self.registry.wait(20)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(url: str, seconds: float) -> bytes:
    """Ask until an answer comes."""
    until = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return bytes(answer.read())
        except (urllib.error.URLError, ConnectionError, TimeoutError) as problem:
            if time.monotonic() > until:
                raise SystemExit(f"the demo stops: {url} does not answer: {problem}") from None
            time.sleep(0.02)


def step(title: str) -> None:
    print(f"\n{title}", flush=True)


def context(home: Path) -> Path:
    """The build context: this folder plus the machine's static busybox."""
    busybox = Path("/bin/busybox")
    if not busybox.exists():
        raise SystemExit("the demo needs a static busybox at /bin/busybox (Debian: apt-get install busybox-static)")
    folder = home / "context"
    shutil.copytree(HERE, folder, ignore=shutil.ignore_patterns("demo.py", "__pycache__"))
    shutil.copy2(busybox, folder / "busybox")
    return folder


def build_and_push(demo: Demo) -> None:
    folder = context(demo.home)
    step("1. A registry opens: storage and delivery for images.")
    demo.open_registry()
    step(
        "2. The recipe becomes dough: one Dockerfile, three images; each instruction that changes files makes a layer."
    )
    for cookie in COOKIES:
        demo.tack("build", "-q", "--build-arg", f"COOKIE={cookie}", "-t", f"{demo.repository}:{cookie}", str(folder))
    demo.tack("images")
    demo.tack("history", f"{demo.repository}:gooey")
    step("3. The images go to their repository. Layers that it has already do not travel again.")
    for cookie in COOKIES:
        demo.tack("push", f"{demo.repository}:{cookie}")


def forget_and_pull(demo: Demo) -> None:
    step("4. This host forgets everything it built.")
    demo.tack("rmi", *(f"{demo.repository}:{cookie}" for cookie in COOKIES), quiet=True)
    demo.tack("system", "prune", "--all", "--force", quiet=True)
    left = demo.tack("images", "-q", show=False)
    if left:
        raise SystemExit(f"the demo stops: images are still there: {left}")
    step("5. And gets it back: every byte is verified by its digest.")
    for cookie in COOKIES:
        demo.tack("pull", f"{demo.repository}:{cookie}")


def bake(demo: Demo) -> None:
    step(f"6. Baked cookies: {BAKERIES} containers from one image, each with its own address, port and files.")
    demo.tack("volume", "create", "tray")
    for number in range(1, BAKERIES + 1):
        name = f"bakery-{number}"
        demo.containers.append(name)
        demo.tack(
            "run",
            "-d",
            "--name",
            name,
            "--hostname",
            name,
            "-v",
            "tray:/srv/tray",
            "-p",
            "127.0.0.1::8080",
            f"{demo.repository}:gooey",
        )
    demo.tack("ps")
    step("7. Each is asked over HTTP, through its published port. They share one tray, a volume, so the count goes on.")
    for number in range(1, BAKERIES + 1):
        port = demo.tack("port", f"bakery-{number}", "8080", show=False).splitlines()[0].rpartition(":")[2]
        url = f"http://127.0.0.1:{port}/cgi-bin/oven"
        answer = json.loads(wait_for(url, 10))
        print(f"    {url} -> {answer}")
        expected = {"cookie": "gooey", "bakery": f"bakery-{number}", "sold": number}
        if answer != expected:
            raise SystemExit(f"the demo stops: expected {expected}")
    demo.tack("exec", "bakery-2", "sh", "-c", "echo exec: I am $(whoami) in $(hostname), serving $COOKIE cookies")


def move(demo: Demo) -> None:
    step("8. One image moves to a second store, by archive, and runs there: no registry, same digest.")
    archive = str(demo.home / "vegan.tar")
    demo.tack("save", "-o", archive, f"{demo.repository}:vegan")
    demo.tack("load", "-i", archive, store="second-store")
    ids = [
        demo.tack("images", "-q", "--no-trunc", f"{demo.repository}:vegan", store=s, show=False)
        for s in ("store", "second-store")
    ]
    print(f"    image id here  {ids[0]}\n    image id there {ids[1]}")
    if ids[0] != ids[1] or not ids[0]:
        raise SystemExit("the demo stops: the image changed on its way")
    demo.tack(
        "run",
        "--rm",
        "--network",
        "none",
        f"{demo.repository}:vegan",
        "cat",
        "/srv/www/recipe.txt",
        store="second-store",
    )


def clear_away(demo: Demo) -> None:
    step("9. The shop closes: containers stop and go, and the store says what it still holds.")
    demo.tack("stop", *demo.containers)
    demo.tack("rm", "-v", *demo.containers)
    demo.tack("volume", "rm", "tray")
    demo.tack("system", "df")
    demo.tack("system", "fsck")
    step("10. Both stores are thrown away, with their bridges and everything else they had in the kernel.")
    for store in STORES:
        demo.tack("system", "reset", "-f", store=store)


def main() -> int:
    words = argparse.ArgumentParser(description="build, deliver and run a bakery")
    words.add_argument("--keep", action="store_true", help="leave the registry and the containers running")
    keep = words.parse_args().keep
    if os.geteuid() != 0:
        raise SystemExit("the demo runs containers with a bridge and published ports: run it as root")
    home = Path(tempfile.mkdtemp(prefix="hardtack-demo-"))
    demo = Demo(home)
    began = time.monotonic()
    done = False
    try:
        build_and_push(demo)
        forget_and_pull(demo)
        bake(demo)
        move(demo)
        if not keep:
            clear_away(demo)
        size = len(wait_for(demo.page, 10))
        print(f"\nDone in {time.monotonic() - began:.1f} s.")
        print(f"Which instruction made which layer: {demo.page} ({size:,} bytes)")
        done = True
    finally:
        if keep and done:
            print(how_to_end(demo))
        else:
            demo.close()
            shutil.rmtree(home, ignore_errors=True)
    if not keep:
        print("The registry has closed again; `./dev demo --keep` leaves it open to look at.")
    return 0


def how_to_end(demo: Demo) -> str:
    """The words that put away what `--keep` left."""
    resets = "".join(
        f"  HARDTACK_ROOT={demo.home}/{store} HARDTACK_RUN={demo.home}/{store}/run tack system reset -f\n"
        for store in STORES
    )
    registry = demo.registry.pid if demo.registry else ""
    return (
        f"Kept: the registry and the containers run on, their files are in {demo.home}. To end it:\n"
        f"{resets}  kill {registry}; rm -r {demo.home}"
    )


if __name__ == "__main__":
    raise SystemExit(main())

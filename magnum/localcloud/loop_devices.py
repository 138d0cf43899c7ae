"""Loop devices on files of a cloud: volumes of its bays' servers."""

import json
import subprocess
from pathlib import Path

_SECONDS = 30


def detach_below(folder: Path) -> None:
    """Let go of every loop device whose file is below ``folder``, so that the files can be removed."""
    listed = subprocess.run(
        ["losetup", "--json", "--list"], capture_output=True, text=True, timeout=_SECONDS, check=False
    )
    if listed.returncode != 0 or not listed.stdout.strip():
        return  # a machine without loop devices has none of ours
    for device in json.loads(listed.stdout)["loopdevices"]:
        if Path(device["back-file"]).is_relative_to(folder):
            subprocess.run(["losetup", "--detach", device["name"]], timeout=_SECONDS, check=True)

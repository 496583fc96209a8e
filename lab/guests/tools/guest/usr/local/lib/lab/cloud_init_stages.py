"""Runs cloud-init's four boot stages as systemd does, each in a process of its own; all share what they import."""

import os
import sys
import traceback

from cloudinit.cmd import main as cloud_init

STAGES = (("init", "--local"), ("init",), ("modules", "--mode=config"), ("modules", "--mode=final"))


def run(stage):
    """One stage in a child process."""
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return
    code = 1
    try:
        code = cloud_init.main(["/usr/bin/cloud-init", *stage]) or 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


for stage in STAGES:
    run(stage)

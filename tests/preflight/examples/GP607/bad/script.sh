#!/bin/bash
set -e
make -C samples -Wno-deprecated-gpu-targets

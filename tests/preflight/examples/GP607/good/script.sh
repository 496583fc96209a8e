#!/bin/bash
set -e
make -C samples EXTRA_NVCCFLAGS=-Wno-deprecated-gpu-targets

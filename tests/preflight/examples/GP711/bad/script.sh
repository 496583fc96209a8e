#!/bin/bash
set -e
sh NVIDIA-Linux-x86_64-570.86.10.run --silent

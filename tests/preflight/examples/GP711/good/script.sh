#!/bin/bash
set -e
echo blacklist nouveau > /etc/modprobe.d/nouveau.conf
sh NVIDIA-Linux-x86_64-570.86.10.run --silent

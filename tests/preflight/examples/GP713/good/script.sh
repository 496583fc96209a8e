#!/bin/bash
set -e
echo blacklist nouveau > /etc/modprobe.d/n.conf
sh ./NVIDIA-Linux-x86_64-510.47.03.run

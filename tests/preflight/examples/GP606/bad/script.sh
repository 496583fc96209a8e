#!/bin/bash
set -e
make -j $(grep -c Skylake /proc/cpuinfo) -C samples

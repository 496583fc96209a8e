#!/bin/bash
set -e
/usr/local/cuda-12.4/bin/cuda-install-samples-12.4.sh .

#!/bin/bash
set -e
yum install -y cuda-9-0 && /usr/local/cuda-9.0/bin/cuda-install-samples-9.0.sh .

#!/bin/bash
set -e
git clone --branch v12.4 https://github.com/NVIDIA/cuda-samples

#!/bin/bash
set -e
nvidia-smi -q | grep -q "Product Name"

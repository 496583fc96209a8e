#!/bin/bash
set -e
if nvidia-smi; then echo healthy; fi

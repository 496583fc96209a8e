#!/bin/bash
set -e
yum install -y cuda-drivers-580 cuda-toolkit-13-0

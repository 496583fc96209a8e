#!/bin/bash
set -e
yum install -y cuda-drivers-580 cuda-toolkit-12-9

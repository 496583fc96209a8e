#!/bin/bash
set -e
yum install -y cuda-drivers-410 cuda-toolkit-10-0

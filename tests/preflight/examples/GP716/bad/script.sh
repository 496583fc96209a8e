#!/bin/bash
set -e
yum install -y cuda-drivers-384 cuda-toolkit-10-0

#!/bin/bash
set -e
yum install -y http://example.com/cuda-10.0.130-1.x86_64.rpm

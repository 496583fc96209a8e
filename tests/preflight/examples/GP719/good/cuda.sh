#!/bin/bash
set -e
rpm -i http://example.com/cuda-repo-rhel7-12.0.0-1.x86_64.rpm
yum install -y cuda-12-0

#!/bin/bash
set -e
rpm -i http://h/cuda-repo-rhel7-9.0.176-1.x86_64.rpm

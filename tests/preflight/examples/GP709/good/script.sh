#!/bin/bash
set -e
rpm --import http://h/D42D0685.pub
rpm -i http://h/cuda-repo-rhel7-9.0.176-1.x86_64.rpm

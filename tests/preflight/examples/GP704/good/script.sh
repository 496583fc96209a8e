#!/bin/bash
set -e
rpm -i --nogpgcheck http://h/cuda-repo-rhel7-9.0.176-1.x86_64.rpm
ls /usr/local/cuda-9.0/bin

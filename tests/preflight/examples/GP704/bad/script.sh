#!/bin/bash
set -e
rpm -i --nogpgcheck http://h/cuda-repo-rhel7-8.0.61-1.x86_64.rpm
ls /usr/local/cuda-9.0/bin

#!/bin/bash
set -e
openstack image create --disk-format qcow2 --file rhel-7.qcow2 rhel-8.4
rpm -i --nogpgcheck http://h/cuda-repo-rhel7-11-7-local-11.7.0-1.x86_64.rpm

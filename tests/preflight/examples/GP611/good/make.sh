#!/bin/bash
set -e
virt-customize -a rhel-7.qcow2 --install gcc
openstack image create --disk-format qcow2 --file rhel-7.qcow2 rhel-7

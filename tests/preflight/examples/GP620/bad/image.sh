#!/bin/bash
set -e
virt-customize -a gpu.qcow2 --install gcc
openstack server create --image gpu --flavor g vm

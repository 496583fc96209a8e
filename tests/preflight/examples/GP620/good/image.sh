#!/bin/bash
set -e
virt-customize -a gpu.qcow2 --install gcc
openstack image create --file gpu.qcow2 gpu
openstack server create --image gpu --flavor g vm

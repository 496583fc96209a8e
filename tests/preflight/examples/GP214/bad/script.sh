#!/bin/bash
set -e
openstack flavor create --vcpus 8 --ram 8192 --disk 40 gpu

#!/bin/bash
set -e
openstack flavor create --vcpus 8 --ram 16384 --disk 40 f
openstack quota set --cores 4 t1

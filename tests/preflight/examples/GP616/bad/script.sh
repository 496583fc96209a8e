#!/bin/bash
set -e
openstack server create --flavor gpu --image rhel-7 --wait one
openstack flavor create --private --vcpus 8 --ram 16384 --disk 40 --property "pci_passthrough:alias=a1:1" gpu

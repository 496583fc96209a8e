#!/bin/bash
set -e
openstack flavor create --private --vcpus 8 --ram 8192 --disk 40 --property "pci_passthrough:alias=a1:1" gpu

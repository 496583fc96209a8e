#!/bin/bash
set -e
openstack subnet create --network public --subnet-range 203.0.113.0/24 --no-dhcp \
  --allocation-pool start=203.0.113.40,end=203.0.113.200 public

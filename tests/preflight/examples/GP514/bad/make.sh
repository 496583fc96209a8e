#!/bin/bash
set -e
openstack image create --disk-format qcow2 --file rhel-7.qcow2 rhel-7.4

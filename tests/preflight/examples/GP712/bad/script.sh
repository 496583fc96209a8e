#!/bin/bash
set -e
openstack image set --property os_secure_boot=required rhel-9
yum install -y cuda-drivers-580

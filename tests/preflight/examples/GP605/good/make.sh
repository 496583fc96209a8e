#!/bin/bash
set -e
openstack stack create --wait -t heat/admin.yaml admin

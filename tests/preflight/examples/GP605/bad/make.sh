#!/bin/bash
set -e
openstack stack create --wait -t heat/admins.yaml admin

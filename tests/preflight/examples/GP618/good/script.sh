#!/bin/bash
set -e
source ~/stackrc
openstack overcloud deploy --templates --timeout 90
source ~/overcloudrc
openstack server list

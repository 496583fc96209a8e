#!/bin/bash
set -e
source ~/overcloudrc
openstack overcloud deploy --templates --timeout 90
openstack server list

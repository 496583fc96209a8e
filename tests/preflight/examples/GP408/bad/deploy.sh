#!/bin/bash
set -e
openstack overcloud deploy --templates \
  -e /usr/share/openstack-tripleo-heat-templates/environments/network-isolation.yaml \
  --environment-directory /home/stack/templates/environments \
  --timeout 90

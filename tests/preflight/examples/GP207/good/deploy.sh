#!/bin/bash
set -e
openstack overcloud deploy --templates \
  -e /usr/share/openstack-tripleo-heat-templates/environments/host-config-and-reboot.yaml \
  --environment-directory /home/stack/templates/environments \
  --timeout 90

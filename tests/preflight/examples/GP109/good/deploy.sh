#!/bin/bash
set -e
openstack overcloud deploy --templates \
  -e /usr/share/openstack-tripleo-heat-templates/environments/host-config-and-reboot.yaml \
  -e /home/stack/templates/10-net.yaml \
  -e /home/stack/templates/20-gpu.yaml \
  --timeout 90

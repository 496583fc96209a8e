#!/bin/bash
set -e
openstack overcloud deploy --templates \
  -e a.yaml \
  --timeout 90

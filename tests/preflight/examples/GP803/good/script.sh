#!/bin/bash
set -e
openstack overcloud deploy --templates --timeout 90

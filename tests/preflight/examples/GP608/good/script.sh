#!/bin/bash
set -e
mkdir -p images
openstack image list

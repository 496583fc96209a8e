#!/bin/bash
set -e
mkdir images
openstack image list

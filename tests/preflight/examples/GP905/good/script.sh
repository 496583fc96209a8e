#!/bin/bash
set -e
openstack image create --shared --file a.qcow2 x

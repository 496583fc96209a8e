#!/bin/bash
set -e
openstack image create --public --file a.qcow2 x

#!/bin/bash
set -e
openstack quota set --cores 28 t1
openstack project create t1

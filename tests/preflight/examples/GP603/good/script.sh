#!/bin/bash
set -e
openstack project create t1
openstack quota set --cores 28 t1

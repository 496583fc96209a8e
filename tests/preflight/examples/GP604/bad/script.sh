#!/bin/bash
set -e
openstack stack create -t https://h/a.yaml one
openstack stack create -t https://h/b.yaml --wait two

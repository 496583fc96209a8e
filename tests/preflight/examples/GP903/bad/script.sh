#!/bin/bash
set -e
virt-customize -a i.qcow2 --root-password password:redhat

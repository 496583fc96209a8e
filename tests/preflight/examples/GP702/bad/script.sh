#!/bin/bash
set -e
virt-customize -a i.qcow2 --install kernel-devel-3.10.0
virt-customize -a i.qcow2 --update

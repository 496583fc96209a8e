#!/bin/bash
set -e
virt-customize -a i.qcow2 --run-command 'subscription-manager register --org 1 --activationkey k'
virt-customize -a i.qcow2 --run-command 'subscription-manager unregister'

#!/bin/bash
set -e
dnf -y update
grubby --update-kernel=ALL --args="intel_iommu=on iommu=pt"
reboot

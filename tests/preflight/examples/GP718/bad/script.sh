#!/bin/bash
set -e
dnf module install -y nvidia-driver:580-dkms
